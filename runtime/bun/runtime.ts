/** The host on Bun: everything of the contract, made once by the entry file and handed down from there. */
import type { Runtime } from "../contract.ts";
import { bundler } from "./bundler.ts";
import { createClock } from "../shared/clock.ts";
import { monotonicOriginMs } from "../shared/monotonic.ts";
import { databases } from "./databases.ts";
import { createFaults } from "../shared/faults.ts";
import { files } from "../shared/files.ts";
import { createNative } from "./native.ts";
import { createNet, createPorts } from "./net.ts";
import { createProcessHost } from "./process.ts";
import { names } from "../shared/names.ts";
import { random } from "../shared/random.ts";
import { workers } from "./workers.ts";

export function createRuntime(): Runtime {
  const faults = createFaults();
  const native = createNative();
  return {
    name: "bun",
    net: createNet(faults),
    ports: createPorts(native),
    clock: createClock(monotonicOriginMs(native)),
    random,
    names,
    files,
    process: createProcessHost(native, faults),
    workers,
    databases,
    native,
    bundler,
  };
}
