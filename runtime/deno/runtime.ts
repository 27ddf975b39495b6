/**
 * The host on Deno, as far as it goes: clock, randomness, files, processes without channels, the network and native calls. What
 * test/conformance/runtime finds missing is listed there. Workers, databases and the bundler are not made yet: to ask for one fails.
 */
import type { Runtime } from "../contract.ts";
import { createClock } from "../shared/clock.ts";
import { monotonicOriginMs } from "../shared/monotonic.ts";
import { createFaults } from "../shared/faults.ts";
import { files } from "../shared/files.ts";
import { names } from "../shared/names.ts";
import { random } from "../shared/random.ts";
import { createNative } from "./native.ts";
import { createNet, createPorts } from "./net.ts";
import { createProcessHost } from "./process.ts";

function missing(part: string): never {
  throw new Error(`Cannot use ${part}: the adapter of Deno has none yet`);
}

export function createRuntime(): Runtime {
  const faults = createFaults();
  const native = createNative();
  return {
    name: "deno",
    net: createNet(native, faults),
    ports: createPorts(native),
    clock: createClock(monotonicOriginMs(native)),
    random,
    names,
    files,
    process: createProcessHost(faults),
    native,
    get workers() {
      return missing("workers");
    },
    get databases() {
      return missing("databases");
    },
    get bundler() {
      return missing("a bundler");
    },
  };
}
