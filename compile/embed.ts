/**
 * A macro: `import { embed } from "…/compile/embed.ts" with { type: "macro" }` puts the text of a file into the program
 * while it is compiled (or, from sources, while it is loaded). Takes a path from the root of the repository, or a package.
 */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const root = dirname(import.meta.dir);

export function embed(name: string): string {
  const path = name.endsWith(".ts") ? join(root, name) : Bun.resolveSync(name, root);
  return readFileSync(path, "utf8");
}
