/**
 * Macros: `import { embed } from "…/compile/embed.ts" with { type: "macro" }` puts the text of a file into the program
 * while it is compiled (or, from sources, while it is loaded). They take a path from the root of the repository, or a package.
 */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const root = dirname(import.meta.dir);

export function embed(name: string): string {
  return readFileSync(pathOf(name), "utf8");
}

/** Declarations of types as a checker needs them: without comments, which are a third of them. */
export function embedTypes(name: string): string {
  return embed(name)
    .replaceAll(/\/\*\*[\s\S]*?\*\//g, "")
    .replaceAll(/^\s*\/\/.*$/gm, "")
    .replaceAll(/\n\s*\n+/g, "\n");
}

/** What a browser runs: a file with all that it imports, as small as it gets. */
export function bundle(name: string): string {
  const flags = ["--target=browser", "--format=esm", "--minify", "--production"];
  const made = Bun.spawnSync([process.execPath, "build", ...flags, pathOf(name)], {
    cwd: root,
    env: process.env,
  });
  if (!made.success) throw new Error(`Cannot bundle ${name}: ${made.stderr.toString()}`);
  return made.stdout.toString();
}

function pathOf(name: string): string {
  return /\.(?:ts|mts|css|html|svg)$/.test(name) ? join(root, name) : Bun.resolveSync(name, root);
}
