/**
 * What it costs to take a unit's connections into the mesh by the firewall, beside the explicit ports of the same proxy: in a network
 * namespace of its own, so that no rule of this machine is touched.
 */
import { bun } from "../../compile/repository.ts";
import { hasProgram } from "../support/processes.ts";
import type { InterceptRounds } from "./intercept_rounds.ts";
import { output } from "./load.ts";
import type { BenchOptions } from "./options.ts";
import { ratioTable } from "./ratios.ts";
import { note } from "./stage.ts";

const limitMs = 1_800_000;
const bars = { hop: 1.05, short: 1.15 } as const;

/** Throws the reason where it cannot be measured. */
export async function measureIntercept({ rounds, counts, warmupRounds }: BenchOptions): Promise<string[]> {
  const missing = ["unshare", "ip", "nft"].filter((program) => !hasProgram(program));
  if (missing.length > 0) throw new Error(`it takes ${missing.join(", ")}`);
  if (process.getuid?.() !== 0) throw new Error("it takes root, for a network namespace and rules in it");
  note(`intercept: ${rounds} rounds of four turns in a network namespace`);
  const asked = JSON.stringify({ rounds, counts, warmupRounds });
  // Also a mount of its own: nft looks for control groups there, whatever else this machine has at that place.
  const own = "mount -t cgroup2 none /sys/fs/cgroup && ip link set lo up";
  const inside = `${own} && exec "$0" --no-env-file "$1" "$2"`;
  const script = `${import.meta.dir}/intercept_rounds.ts`;
  const said = await output(["unshare", "--net", "--mount", "sh", "-c", inside, bun, script, asked], limitMs);
  const rows = JSON.parse(said.slice(said.lastIndexOf("\n{") + 1)) as InterceptRounds;
  return [
    `One mesh and one load, in the control group of a unit; ${rounds} rounds of four turns (intercepted, explicit, explicit, intercepted). "today": to the`,
    'virtual address of the service, redirected by the rules that `heddle attach --intercept` loads; "explicit": to a port of the proxy. Processor time of the',
    "proxies; who calls is told by its control group both times.",
    "",
    ...ratioTable([rows.hop], "explicit", bars.hop),
    ...ratioTable([rows.short], "explicit", bars.short),
  ];
}
