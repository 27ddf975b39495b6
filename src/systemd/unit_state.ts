/** How units fare, as their manager tells it. */
import type { ProcessHost } from "../../runtime/contract.ts";
import { tryCommand } from "./commands.ts";
import type { Manager } from "./manager.ts";

type Host = Pick<ProcessHost, "spawn" | "env">;

async function isActive(host: Host, { systemctl }: Manager, unit: string): Promise<boolean> {
  return (await tryCommand(host, [...systemctl, "is-active", "--quiet", unit])).code === 0;
}

/** Whether the manager has a process of it: it runs, starts, ends or takes something over. */
export async function isManaged(host: Host, { systemctl }: Manager, unit: string): Promise<boolean> {
  const { output } = await tryCommand(host, [
    ...systemctl,
    "show",
    "--property=ActiveState",
    "--value",
    unit,
  ]);
  return !["inactive", "failed", ""].includes(output.trim());
}

const linesMax = 12;

/** Of those that do not run: why, with the end of their logs. */
export async function troublesOf(host: Host, manager: Manager, units: readonly string[]): Promise<string[]> {
  const lines: string[] = [];
  for (const unit of units) {
    if (await isActive(host, manager, unit)) continue;
    const shown = [...manager.systemctl, "show", "--property=ActiveState,Result,StatusText", unit];
    const state = new Map(
      (await tryCommand(host, shown)).output.split("\n").map((line) => {
        const at = line.indexOf("=");
        return [line.slice(0, at), line.slice(at + 1)] as const;
      }),
    );
    const words = [state.get("ActiveState"), state.get("Result"), state.get("StatusText")];
    lines.push(`${unit}: ${words.filter((word) => word !== undefined && word !== "").join(", ")}`);
    const log = [...manager.journal, unit, "--output=cat", "--no-pager", `--lines=${linesMax}`];
    lines.push(
      ...(await tryCommand(host, log)).output
        .trimEnd()
        .split("\n")
        .map((line) => `  ${line}`),
    );
  }
  return lines;
}
