/**
 * One flood, a process of its own: so many connections of a kind, each dialled again a little later when it was cut.
 *   bun test/bench/flood.ts '{"kind":"ping","host":"127.0.0.1","port":80,"authority":"web.mesh","lastsMsMax":60000}'
 * prints a line when it could begin, begins at the first byte of its input, ends with it, and prints one line of JSON
 * (FloodResult). It polls instead of sleeping, so that its core does not halt: it is to run where everything else goes first.
 */
import { writeSync } from "node:fs";
import type { Socket } from "bun";
import { floodKinds, type FloodKind, type FloodName } from "./flood_kinds.ts";

export interface FloodOptions {
  readonly kind: FloodName;
  readonly host: string;
  readonly port: number;
  readonly authority: string;
  /** Ends then at the latest. */
  readonly lastsMsMax: number;
}

export interface FloodResult {
  /** Connections that were opened, and those that the other side ended. */
  readonly opened: number;
  readonly cut: number;
  readonly sentBytes: number;
}

const redialMs = 50;

class Flood {
  opened = 0;
  cut = 0;
  sentBytes = 0;
  #over = false;
  readonly #kind: FloodKind;
  /** Made once: what makes it would hold up the client beside it, on the same core. */
  readonly #first: Uint8Array;

  constructor(readonly options: FloodOptions) {
    this.#kind = floodKinds[options.kind];
    this.#first = this.#kind.first(options.authority);
  }

  /** Resolves when its input ended, or it lasted too long. */
  async run(input: AsyncIterable<Uint8Array>): Promise<FloodResult> {
    const poll = (): void => {
      if (!this.#over) setImmediate(poll);
    };
    poll();
    await Promise.race([this.#obey(input), Bun.sleep(this.options.lastsMsMax)]);
    this.#over = true;
    const { opened, cut, sentBytes } = this;
    return { opened, cut, sentBytes };
  }

  async #obey(input: AsyncIterable<Uint8Array>): Promise<void> {
    let begun = false;
    for await (const _ of input) {
      if (begun) continue;
      begun = true;
      for (let each = 0; each < this.#kind.connections; each++) this.#dial();
    }
  }

  #dial(): void {
    const { host, port, authority } = this.options;
    const { next, everyMs, deaf } = this.#kind;
    let timer: Timer | null = null;
    let step = 0;
    let room = true;
    let gone = false;
    /** What was not taken yet; nothing new is made before it is. */
    let rest: Uint8Array = new Uint8Array(0);
    const send = (socket: Socket, bytes: Uint8Array): void => {
      const wrote = Math.max(0, socket.write(bytes));
      this.sentBytes += wrote;
      rest = bytes.subarray(wrote);
      room = rest.length === 0;
    };
    const lost = (): void => {
      if (gone) return;
      gone = true;
      if (timer !== null) clearInterval(timer);
      if (this.#over) return;
      this.cut++;
      setTimeout(() => this.#dial(), redialMs);
    };
    Bun.connect({
      hostname: host,
      port,
      socket: {
        open: (socket) => {
          this.opened++;
          if (deaf === true) socket.pause();
          send(socket, this.#first);
          if (next === null) return;
          timer = setInterval(() => {
            if (room) send(socket, next(step++, authority));
          }, everyMs);
        },
        data() {},
        drain: (socket) => send(socket, rest),
        end: (socket) => {
          socket.end();
          lost();
        },
        close: lost,
        error: lost,
        connectError: lost,
      },
    }).catch(lost);
  }
}

if (import.meta.main) {
  const flood = new Flood(JSON.parse(process.argv[2] ?? "{}") as FloodOptions);
  writeSync(1, "ready\n");
  const result = await flood.run(Bun.stdin.stream());
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
}
