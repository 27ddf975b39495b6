/** Prometheus's own opinion of an exposition: syntax, names, units, types. */
import { spawnSync } from "node:child_process";
import { hasProgram } from "./processes.ts";

export const hasPromtool: boolean = hasProgram("promtool");

/** What `promtool check metrics` finds wrong; "" when nothing. */
export function promtoolFindings(exposition: string): string {
  const answer = spawnSync("promtool", ["check", "metrics"], { input: exposition, encoding: "utf8" });
  return answer.status === 0 ? "" : `${answer.stdout}${answer.stderr}`.trim() || `status ${answer.status}`;
}
