/** The kept inputs of each target: small files that once came to something of their own. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";

const folder = `${import.meta.dir}/corpus`;
const keptBytesMax = 2_048;
const keptFilesMax = 48;

export function readCorpus(target: string): Uint8Array[] {
  const path = `${folder}/${target}`;
  if (!existsSync(path)) return [];
  return readdirSync(path)
    .sort()
    .map((name) => Uint8Array.from(readFileSync(`${path}/${name}`)));
}

/** Keeps the smallest of them as long as there is room. Returns how many files are new. */
export function growCorpus(target: string, inputs: Iterable<Uint8Array>): number {
  const path = `${folder}/${target}`;
  mkdirSync(path, { recursive: true });
  const room = keptFilesMax - readdirSync(path).length;
  const fresh = [...inputs]
    .filter((input) => input.length <= keptBytesMax && !existsSync(`${path}/${nameOf(input)}`))
    .sort((one, other) => one.length - other.length)
    .slice(0, Math.max(0, room));
  for (const input of fresh) writeFileSync(`${path}/${nameOf(input)}`, input);
  return fresh.length;
}

/** Writes an input that failed where it can be found; returns the path. */
export function writeFailure(target: string, input: Uint8Array): string {
  const path = `${tmpdir()}/heddle-fuzz-${target}-${nameOf(input)}`;
  writeFileSync(path, input);
  return path;
}

function nameOf(input: Uint8Array): string {
  return createHash("sha256").update(input).digest("hex").slice(0, 16);
}
