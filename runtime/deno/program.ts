/** How this program was started: by Deno, from its sources. There is no compiled form of it on this host. */
import { join } from "node:path";
import process from "node:process";

const root = join(import.meta.dirname ?? "", "../..");

/** The first words of a command line that starts this program again. Everything is granted: /proc asks for it. */
export function selfCommand(): string[] {
  return [`/proc/${process.pid}/exe`, "run", "--allow-all", "--no-prompt", join(root, "src/main.ts")];
}

/** The word stands for the binary that people have. */
export const calledHere = "heddle";
