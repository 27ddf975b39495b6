/** Whether a unit is coupled to the proxy as heddle attach meant it: what its manager knows, beside what lies on disk. */
import type { Files, ProcessHost } from "../../runtime/contract.ts";
import { dropInPath } from "./drop_in.ts";
import type { Manager } from "./manager.ts";
import { shownProperties } from "./unit_facts.ts";
import { unitName } from "./units.ts";

/** What is wrong with it, and what to do. */
export interface CouplingProblem {
  readonly problem: string;
  readonly cure: string;
}

/** What takes the app down with the proxy, or keeps it from starting. */
const binding = ["Requires", "Requisite", "BindsTo", "PartOf"] as const;

/** null: it is well. */
export async function couplingProblem(
  host: Pick<ProcessHost, "spawn" | "env">,
  files: Pick<Files, "stat">,
  manager: Manager,
  unit: string,
): Promise<CouplingProblem | null> {
  const proxy = unitName("proxy");
  const own = dropInPath(manager, unit);
  const asked = [...binding, "Wants", "After", "DropInPaths", "NeedDaemonReload"];
  const shown = await shownProperties(host, manager, unit, asked);
  const listed = (name: string): readonly string[] => (shown.get(name) ?? "").split(" ");
  const bound = binding.filter((name) => listed(name).includes(proxy));
  if (bound.length > 0)
    return {
      problem: `${bound.join("=, ")}= binds it to ${proxy}: it stops or starts again whenever the proxy does`,
      cure: `Take that out of its files (systemctl cat ${unit}): Wants= and After=, which heddle attach wrote, are enough`,
    };
  const known = listed("DropInPaths");
  if ((await files.stat(own)) === null)
    return {
      problem: `${own} is missing, so nothing orders it and the proxy`,
      cure: `heddle attach ${unit}`,
    };
  if (!known.includes(own) || shown.get("NeedDaemonReload") === "yes")
    return { problem: "its files on disk are others than systemd has read", cure: "systemctl daemon-reload" };
  if (listed("Wants").includes(proxy) && listed("After").includes(proxy)) return null;
  const later = known.slice(known.indexOf(own) + 1);
  return {
    problem: `${later.join(", ") || "another file"} overrides ${own}`,
    cure: `Take empty Wants= and After= out of it (systemctl cat ${unit})`,
  };
}
