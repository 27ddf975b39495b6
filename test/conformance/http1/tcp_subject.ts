/** A proxy that is a process of its own, on real sockets, with the raw backend in this one. */
import { createRuntime } from "../../../runtime/bun/runtime.ts";
import { RawBackend } from "./backend.ts";
import type { Subject } from "./talk.ts";

export interface Place {
  readonly host: string;
  readonly port: number;
}

export interface Doors {
  readonly all: Place;
  readonly one: Place;
}

/** What a proxy that hears no more may take to end a connection. */
const waitMs = 1_500;
const restMs = 60;
const runtime = createRuntime();

export function startBackendAt(place: Place): RawBackend {
  return new RawBackend(runtime.net, (call) => void setTimeout(call, restMs / 3), place);
}

export function tcpSubject(backend: RawBackend, doors: Doors): Subject {
  return {
    net: runtime.net,
    backend,
    address: (door) => doors[door],
    turn: () => new Promise((done) => setImmediate(done)),
    rest: () => Bun.sleep(restMs),
    async wait(condition) {
      const end = performance.now() + waitMs;
      while (!condition()) {
        if (performance.now() > end) return false;
        await Bun.sleep(1);
      }
      return true;
    },
  };
}
