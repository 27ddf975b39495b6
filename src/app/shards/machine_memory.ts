/** How much memory the processes of this machine, or of the control group that this one is in, may take at most. */
import type { Files } from "../../../runtime/contract.ts";
import { groupTexts, textAt } from "./control_groups.ts";

const bound = { controller: "memory", unified: "memory.max", own: ["memory.limit_in_bytes"] } as const;

/** Bytes. Infinity where the system does not tell. */
export function machineBytes(files: Pick<Files, "readSync">): number {
  const total = Number(/^MemTotal:\s+(\d+) kB$/m.exec(textAt(files, "/proc/meminfo"))?.[1] ?? Infinity);
  const bounds = groupTexts(files, bound).map(([text = ""]) => Number.parseInt(text, 10));
  return Math.min(total * 1_024, ...bounds.filter((bytes) => bytes > 0));
}
