/** Environment that sets a program's clock off; null where there is no C compiler to make what does it. */
import { spawnSync } from "node:child_process";
import { root } from "../../compile/repository.ts";
import { hasProgram } from "./processes.ts";

export function shiftedClock(folder: string): ((seconds: number) => Record<string, string>) | null {
  if (!hasProgram("cc")) return null;
  const library = `${folder}/shifted_clock.so`;
  const source = `${root}/test/support/shifted_clock.c`;
  const made = spawnSync("cc", ["-shared", "-fPIC", "-o", library, source], { encoding: "utf8" });
  if (made.status !== 0) throw new Error(`cc failed: ${made.stderr}`);
  return (seconds) => ({ LD_PRELOAD: library, CLOCK_SHIFT_S: String(seconds) });
}
