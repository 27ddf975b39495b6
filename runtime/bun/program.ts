/** How this program was started: as the compiled binary, or from its sources. */
import { basename, join, relative } from "node:path";

/** Modules inside a compiled binary have paths below this. */
const insideBinary = "/$bunfs/";

const compiled: boolean = import.meta.path.startsWith(insideBinary);

const root = join(import.meta.dir, "../..");

/**
 * The first words of a command line that starts this program again. The kernel's link goes on naming the running program
 * when its file was replaced or deleted. It is `self` that is looked up in the child: by its number a process that may not be
 * dumped is closed to its own children too.
 */
export function selfCommand(): string[] {
  const program = "/proc/self/exe";
  return compiled ? [program] : [program, "--no-env-file", join(root, "src/main.ts")];
}

/** From its sources it has no name of its own; the word stands for the binary then. */
export function calledHere(): string {
  if (!compiled) return "heddle";
  const program = process.execPath;
  if (Bun.which(basename(program)) === program) return basename(program);
  const here = relative(process.cwd(), program);
  return here.startsWith("..") ? program : here.includes("/") ? here : `./${here}`;
}

/**
 * Where a worker's module is. In the binary its path counts from the common folder of the entry points, `src/`; the prefix
 * keeps Bun from looking for it in the current folder.
 */
export function workerModule(entry: string): string {
  if (!compiled) return join(root, entry);
  return `./${entry.replace(/^src\//, "")}`;
}
