/** Which event loop takes a connection, on real ports that several listen on. */
import { describe, expect, test } from "bun:test";
import type { Listener, Socket } from "../../../runtime/contract.ts";
import { AcceptGate } from "../../../src/shards/accept_gate.ts";
import { runtime } from "../../support/planes.ts";
import { hangMs } from "../../support/patience.ts";
import { dialled, type End, until } from "../../support/sockets.ts";

class Loop {
  readonly sockets = new Set<Socket>();
  readonly gate: AcceptGate;
  #listener: Listener | null = null;

  constructor(
    readonly descriptor: number,
    counts: Float64Array,
    beats: Float64Array,
    own: number,
  ) {
    this.#listen();
    this.gate = new AcceptGate({
      clock: runtime.clock,
      counts,
      beats,
      own,
      open: () => this.sockets.size,
      changed: (accepts) => (accepts ? this.#listen() : this.#close()),
    });
  }

  #listen(): void {
    this.#listener = runtime.net.adopt(runtime.ports.duplicate(this.descriptor), (socket) => {
      this.sockets.add(socket);
      this.gate.accepted();
      return {
        data() {},
        drain() {},
        end: () => socket.shutdown(),
        close: () => void this.sockets.delete(socket),
      };
    });
  }

  #close(): void {
    this.#listener?.close();
    this.#listener = null;
  }

  stop(): void {
    this.gate.close();
    this.#close();
    for (const socket of this.sockets) socket.destroy();
  }
}

async function withLoops(
  count: number,
  work: (loops: readonly Loop[], port: number) => Promise<void>,
): Promise<void> {
  const bound = runtime.ports.bind({ host: "127.0.0.1", port: 0 });
  const [counts, beats] = [new Float64Array(count), new Float64Array(count)];
  const loops = Array.from({ length: count }, (_, own) => new Loop(bound.descriptor, counts, beats, own));
  try {
    await work(loops, bound.port);
  } finally {
    for (const loop of loops) loop.stop();
    bound.close();
  }
}

async function connect(count: number, port: number): Promise<End[]> {
  const options = { host: "127.0.0.1", port, timeoutMs: hangMs };
  return await Promise.all(Array.from({ length: count }, () => dialled(runtime, options)));
}

const sizes = (loops: readonly Loop[]): number[] => loops.map(({ sockets }) => sockets.size);
const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);

describe("loops that listen on one port", () => {
  test.each([
    [2, 4],
    [2, 64],
    [4, 64],
  ])("%i of them share %i connections evenly", async (count, connections) => {
    await withLoops(count, async (loops, port) => {
      await connect(connections, port);
      await until(() => sum(sizes(loops)) === connections, "all are accepted");
      const most = Math.max(...sizes(loops));
      expect(most).toBeLessThanOrEqual(Math.ceil((connections / count) * 1.05) + 1);
    });
  });

  test("give new ones to whom the old ones have left", async () => {
    await withLoops(2, async (loops, port) => {
      await connect(16, port);
      await until(() => sum(sizes(loops)) === 16, "all are accepted");
      for (const socket of loops[0]?.sockets ?? []) socket.destroy();
      await until(() => loops[0]?.sockets.size === 0, "the first has none");
      await connect(8, port);
      await until(() => sum(sizes(loops)) === 16, "all are accepted");
      expect(Math.min(...sizes(loops))).toBeGreaterThan(5);
    });
  });
});

test("a loop that has stood still keeps nobody from accepting", async () => {
  const bound = runtime.ports.bind({ host: "127.0.0.1", port: 0 });
  // The other one of the two never beats, and has no connection.
  const loop = new Loop(bound.descriptor, new Float64Array(2), new Float64Array(2), 0);
  await connect(8, bound.port);
  await until(() => loop.sockets.size === 8, "all are accepted");
  loop.stop();
  bound.close();
});
