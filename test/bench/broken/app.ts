/**
 * An instance that can break, a process of its own: answers a page after some milliseconds, or as it is told.
 *   bun test/bench/broken/app.ts '{"host":"127.0.0.1","port":8000,"control":8001}'
 * `GET /MODE` on the control port sets the mode and says how many requests were answered in each tenth of a second since the start.
 */
export interface BreakingAppOptions {
  readonly host: string;
  readonly port: number;
  readonly control: number;
}

export const modes = ["well", "answers 503", "fast errors", "stalls", "refuses"] as const;
export type Mode = (typeof modes)[number];

export const sliceMs = 100;
const workMs = 5;

class BreakingApp {
  #mode: Mode = "well";
  #server: ReturnType<typeof Bun.serve> | null = null;
  readonly #startedMs = performance.now();
  /** Requests that came, by slice. */
  readonly #slices: number[] = [];

  constructor(readonly options: BreakingAppOptions) {
    this.#listen();
  }

  async become(mode: Mode): Promise<number[]> {
    this.#mode = mode;
    if (mode === "refuses") {
      await this.#server?.stop(true);
      this.#server = null;
    } else if (this.#server === null) this.#listen();
    const now = Math.floor((performance.now() - this.#startedMs) / sliceMs);
    return Array.from({ length: now + 1 }, (_, at) => this.#slices[at] ?? 0);
  }

  #listen(): void {
    const { host: hostname, port } = this.options;
    this.#server = Bun.serve({ hostname, port, idleTimeout: 0, fetch: () => this.#answer() });
  }

  async #answer(): Promise<Response> {
    const slice = Math.floor((performance.now() - this.#startedMs) / sliceMs);
    this.#slices[slice] = (this.#slices[slice] ?? 0) + 1;
    if (this.#mode === "fast errors") return new Response("broken\n", { status: 500 });
    if (this.#mode === "stalls") await new Promise(() => {});
    await Bun.sleep(workMs);
    if (this.#mode === "answers 503") return new Response("broken\n", { status: 503 });
    return new Response("well\n");
  }
}

if (import.meta.main) {
  const options = JSON.parse(process.argv[2] ?? "{}") as BreakingAppOptions;
  const app = new BreakingApp(options);
  Bun.serve({
    hostname: options.host,
    port: options.control,
    fetch: async (request) => {
      const name = decodeURIComponent(new URL(request.url).pathname.slice(1));
      const mode = modes.find((each) => each === name);
      return mode === undefined
        ? new Response(`no mode ${name}\n`, { status: 404 })
        : Response.json(await app.become(mode));
    },
  });
}
