/** `heddle top` in a terminal of 80 columns, as an operator sees it, with 60 services that call one another. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { binaryMissing, binaryPath } from "../../compile/repository.ts";
import { addressOf } from "../support/addresses.ts";
import { startMesh, type Mesh } from "../support/mesh.ts";
import { testMs } from "../support/patience.ts";
import { waitFor } from "../support/processes.ts";
import { Tmux, tmuxMissing } from "../support/tmux.ts";

const machines = 3;
const perMachine = 20;
const edges = 2 * machines * perMachine;
const appPort = 8_080;
/** Long ones are among them, as people have them. */
const kinds = ["api", "worker", "cache", "recommendation-embedding", "checkout-orchestrator"];

function nameOf(at: number): string {
  return `${kinds[at % kinds.length]}-${at}`;
}

const services = Array.from({ length: machines * perMachine }, (_, at) => nameOf(at));

const machineOf = (at: number): number => Math.floor(at / perMachine);

/** Each calls the next one and one that is far, all once, then on and on; `worker-1`, which is called most, fails half of its calls. */
class Calls {
  #stopped = false;
  #going: Promise<unknown> = Promise.resolve();

  constructor(readonly mesh: Mesh) {}

  async start(): Promise<void> {
    await this.#walk(8, 0);
    const walking = async (): Promise<void> => {
      while (!this.#stopped) await this.#walk(2, 5);
    };
    const failing = async (): Promise<void> => {
      for (; !this.#stopped; await Bun.sleep(50)) await this.#call(0, 1);
    };
    this.#going = Promise.all([walking(), failing()]);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#going;
  }

  /** Once through all, so many at a time. */
  async #walk(width: number, pauseMs: number): Promise<void> {
    let next = 0;
    const walker = async (): Promise<void> => {
      while (next < services.length && !this.#stopped) {
        const at = next++;
        await this.#call(at, (at + 1) % services.length);
        await this.#call(at, (at * 7 + 5) % services.length);
        await Bun.sleep(pauseMs);
      }
    };
    await Promise.all(Array.from({ length: width }, walker));
  }

  async #call(from: number, to: number): Promise<void> {
    const machine = this.mesh.machine(`vm-${machineOf(from)}`);
    const url = `http://${machine.address}:${machine.httpPort(nameOf(from))}/`;
    const answer = await fetch(url, { headers: { host: `${nameOf(to)}.mesh` } });
    await answer.arrayBuffer();
  }
}

describe.skipIf(binaryMissing || tmuxMissing)("top with 60 live services (needs tmux)", () => {
  let mesh: Mesh;
  let calls: Calls;
  let screen: Tmux;
  const apps: { stop(force?: boolean): unknown }[] = [];
  const addressFirst = 0;

  beforeAll(async () => {
    for (let at = 0; at < services.length; at++) {
      let count = 0;
      const hostname = addressOf(addressFirst + 1 + machineOf(at));
      const fails = (): boolean => at === 1 && count++ % 2 === 0;
      const fetch = (): Response => new Response("", { status: fails() ? 500 : 200 });
      apps.push(Bun.serve({ hostname, port: appPort + (at % perMachine), fetch }));
    }
    const documents = services.map((name) => `{kind: Service, name: ${name}, port: 80, protocol: http}`);
    mesh = await startMesh({
      addressFirst,
      documents: documents.join("\n---\n"),
      machines: Array.from({ length: machines }, (_, machine) => ({
        name: `vm-${machine}`,
        services: services.slice(machine * perMachine, (machine + 1) * perMachine).map((service, at) => ({
          ...{ service, host: addressOf(addressFirst + 1 + machine), port: appPort + at },
        })),
      })),
    });
    calls = new Calls(mesh);
    await calls.start();
    const command = [binaryPath, "top", "--every", "1s", "--state", `${mesh.folder}/control`];
    screen = new Tmux({ command, columns: 80, rows: 24 });
  }, testMs);
  afterAll(async () => {
    screen?.close();
    await calls?.stop();
    await mesh?.stop();
    await Promise.all(apps.map((app) => app.stop(true)));
  }, testMs);

  /** Edges that are shown, on this page and others. */
  const totalOf = ([title = ""]: readonly string[]): number =>
    Number(/^heddle top: (\d+) of \1 /.exec(title)?.[1] ?? 0);
  /** The last row of the page. */
  const lastOf = (title: string): number => Number(/-(\d+) here\)/.exec(title)?.[1] ?? 0);
  /** Rows of the table. */
  const rowsOf = (lines: readonly string[]): string[] => lines.slice(3, -1).filter((line) => line !== "");

  test(
    "shows all edges, at most 80 columns wide, as many as fit",
    async () => {
      const lines = await screen.shows("all edges", (seen) => totalOf(seen) >= edges);
      expect(lines[0]).toMatch(/^heddle top: (\d+) of \1 edges \(1-20 here\), by rps$/);
      expect(lines.length).toBe(24);
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
      expect(lines[1]).toBe(`of ${machines} machines every 1s`);
      expect(rowsOf(lines).length).toBe(20);
      for (const row of rowsOf(lines)) expect(row).toMatch(/^\S+ > \S+ .* 1\/1$/);
    },
    testMs,
  );

  test(
    "sorts what goes wrong to the top, narrows to a name, scrolls to the last row",
    async () => {
      screen.press("s");
      await screen.shows("the failing edge first", (lines) =>
        /^api-0 > worker-1 +[1-9]?\d\.\d\d% /.test(rowsOf(lines)[0] ?? ""),
      );
      screen.press("/", "embedding-3");
      const narrowed = await screen.shows(
        "what is narrowed to",
        ([title]) => title?.includes('"embedding-3"') === true,
      );
      expect(narrowed.at(-1)).toBe("/embedding-3_   Enter keeps it, Esc shows all");
      for (const row of rowsOf(narrowed)) expect(row).toMatch(/recom\S*g-3/);
      screen.press("Escape");
      await screen.shows("all", (lines) => totalOf(lines) >= edges);
      screen.press("G");
      await screen.shows("the last row", ([title = ""]) => lastOf(title) === totalOf([title]));
      screen.press("PageUp");
      await screen.shows("the page before", ([title = ""]) => lastOf(title) < totalOf([title]) - 15);
    },
    testMs,
  );

  test(
    "takes a window that grows, and stays small while it goes on",
    async () => {
      const residentKb = (): number =>
        Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${screen.pid}/status`, "utf8"))?.[1]);
      screen.resize(140, 40);
      await screen.shows("three columns of names", (lines) => /^FROM +TO +ROUTE/.test(lines[2] ?? ""));
      expect(screen.lines().length).toBe(40);
      expect(residentKb()).toBeLessThan(160_000);
      screen.press("q");
      await waitFor("the terminal is given back", async () => (screen.over ? true : null));
    },
    testMs,
  );
});
