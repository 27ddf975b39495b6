/** The data plane of one machine in memory: both pipelines, in process, between raw clients and the raw backend. */
import { MemoryNet } from "../../support/memory_net.ts";
import { Planes } from "../../support/planes.ts";
import { RawBackend } from "./backend.ts";
import type { Subject } from "./talk.ts";

export interface MemorySubject extends Subject {
  readonly net: MemoryNet;
  close(): Promise<void>;
}

export async function startMemorySubject(): Promise<MemorySubject> {
  const net = new MemoryNet();
  const backend = new RawBackend(net, (call) => net.soon(call), { host: "127.0.0.1", port: 0 });
  const planes = await Planes.start({
    name: "vm",
    net,
    clock: net.clock,
    services: { caller: { app: 9, upstreams: ["web"] }, web: { app: backend.port } },
  });
  planes.apply({ web: { interim: "forward" } });
  const machine = planes.machine("vm");
  return {
    net,
    backend,
    address: (door) => ({
      host: "127.0.0.1",
      port: door === "all" ? machine.port("caller") : machine.port("caller", "web"),
    }),
    turn: () => net.settle(),
    rest: () => net.settle(),
    async wait(condition) {
      await net.settle();
      return condition();
    },
    close: async () => {
      const closing = planes.close();
      await net.pass(1_000);
      await closing;
    },
  };
}
