/** What binaries are made for, and the runtime that each carries: the npm package of that platform, in the version of package.json. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { root } from "./repository.ts";

export interface Target {
  readonly name: string;
  /** As the compiler calls it. */
  readonly bun: string;
  /** npm package with its runtime; null: the one that compiles. */
  readonly runtime: string | null;
  /** As Debian and RPM call the processor. */
  readonly deb: string;
  readonly rpm: string;
}

const x64 = { deb: "amd64", rpm: "x86_64" };

export const targets = {
  x64: { name: "x64", bun: "bun-linux-x64", runtime: null, ...x64 },
  /** Without AVX2. */
  "x64-baseline": {
    name: "x64-baseline",
    bun: "bun-linux-x64-baseline",
    runtime: "@oven/bun-linux-x64-baseline",
    ...x64,
  },
  arm64: {
    name: "arm64",
    bun: "bun-linux-arm64",
    runtime: "@oven/bun-linux-aarch64",
    deb: "arm64",
    rpm: "aarch64",
  },
} as const satisfies Readonly<Record<string, Target>>;

/** By the words behind a task: `--target arm64`. Throws where there is no such one. */
export function targetIn(args: readonly string[]): Target {
  const at = args.indexOf("--target");
  const name = at < 0 ? "x64" : (args[at + 1] ?? "");
  const known: Readonly<Record<string, Target>> = targets;
  const found = known[name];
  if (found !== undefined) return found;
  throw new Error(`Unknown target "${name}": expected ${Object.keys(targets).join(", ")}`);
}

/** Where the binary of a target lies. */
export function binaryOf({ name }: Target): string {
  return join(root, name === "x64" ? "dist/heddle" : `dist/heddle-${name}`);
}

/** What is made once for all checkouts. */
export const cacheFolder = `${process.env["XDG_CACHE_HOME"] ?? `${homedir()}/.cache`}/heddle`;

/** The path of its runtime, fetched by npm when it is not there yet; null: the one that compiles. */
export function runtimeOf({ runtime }: Target): string | null {
  if (runtime === null) return null;
  const wanted = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    readonly devDependencies: { readonly bun: string };
  };
  const { bun: version } = wanted.devDependencies;
  const folder = `${cacheFolder}/${runtime.replace("@oven/", "")}-${version}`;
  const path = `${folder}/package/bin/bun`;
  if (existsSync(path)) return path;
  mkdirSync(cacheFolder, { recursive: true });
  const half = mkdtempSync(`${folder}.`);
  try {
    // npm checks what it fetches against the registry's own digest.
    const packed = must("npm", ["pack", "--silent", `${runtime}@${version}`, "--pack-destination", half]);
    must("tar", ["-xzf", join(half, packed.trim().split("\n").at(-1) ?? ""), "-C", half]);
    rmSync(folder, { recursive: true, force: true });
    renameSync(half, folder);
  } finally {
    rmSync(half, { recursive: true, force: true });
  }
  return path;
}

/** Runs a program; returns what it printed, throws what it said when it failed. */
export function must(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): string {
  const answer = spawnSync(command, args, { encoding: "utf8", cwd: root, env: { ...process.env, ...env } });
  if (answer.status === 0) return answer.stdout;
  const problem = answer.error?.message ?? `${answer.stdout}${answer.stderr}`;
  throw new Error(`Cannot run ${command} ${args.join(" ")}: ${problem}`);
}
