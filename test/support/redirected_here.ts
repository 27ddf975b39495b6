/** Inside of a network namespace and of a mount of control groups: loads the rules of a unit that this process is, then connects as it. */
import { writeFileSync } from "node:fs";
import { ruleset } from "../../src/intercept/rules.ts";
import { sliceOf } from "../../src/intercept/slice.ts";
import { redirectedPorts } from "../../src/model/ports.ts";
import { runProgram } from "./processes.ts";
import { enterUnit } from "./unit_cgroup.ts";

const [folder = "", source = "", places = ""] = process.argv.slice(-3);
const unit = `calls-${process.pid}.service`;
const cgroup = enterUnit(unit);
try {
  const own = {
    unit,
    slice: sliceOf(unit),
    outbound: "mesh",
    inbound: "audit",
    ports: [],
    strict: false,
  } as const;
  const exclusions = { addresses: [], places: [], ports: [] };
  writeFileSync(
    `${folder}/rules.nft`,
    ruleset({ units: [own], exclusions, ports: redirectedPorts, clear: [] }),
  );
  runProgram(["nft", "-f", `${folder}/rules.nft`]);
  const [first, last] = [redirectedPorts[0], redirectedPorts.at(-1)].map(String) as [string, string];
  const script = `${import.meta.dir}/one_source_port.py`;
  process.stdout.write(runProgram(["python3", script, first, last, source, places]));
} finally {
  cgroup.leave();
}
