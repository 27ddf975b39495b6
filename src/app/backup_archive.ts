/**
 * The form of a backup: a tar archive of a list and of what it lists, with the size and the SHA-256 of each part. What is not whole, not
 * of heddle or of a later format is refused before anything of it is used.
 */
import { createHash } from "node:crypto";
import { problemOf } from "../base/result.ts";
import { UserError } from "../base/user_error.ts";
import { limits } from "../model/limits.ts";

/** Counts up when an older version could not restore what a newer one writes. */
const format = 1;
const listName = "backup.json";

/** What there is in one, by its name there. */
export const backupParts = {
  settings: "heddle.json",
  machine: "machine.yaml",
  authority: "authority.json",
  store: "registry.db",
} as const;

export type BackupPart = keyof typeof backupParts;

export interface Backup {
  readonly trustDomain: string;
  /** The machine that it is of. */
  readonly node: string;
  /** Milliseconds since 1970. */
  readonly createdMs: number;
  /** The program that wrote it. */
  readonly version: string;
  readonly parts: Readonly<Record<BackupPart, Uint8Array>>;
}

interface List extends Omit<Backup, "parts"> {
  readonly format: number;
  readonly parts: Readonly<Record<string, { readonly bytes: number; readonly sha256: string }>>;
}

const names = Object.entries(backupParts) as readonly (readonly [BackupPart, string])[];
const ownerAlone = 0o600;

export async function packBackup({ parts, ...known }: Backup): Promise<Uint8Array> {
  const { packTar } = await import("modern-tar");
  const listed = names.map(([part, name]) => [name, digestOf(parts[part])] as const);
  const list: List = { format, ...known, parts: Object.fromEntries(listed) };
  const entry = (name: string, body: Uint8Array) => ({
    header: { name, size: body.length, mode: ownerAlone, mtime: new Date(known.createdMs) },
    body,
  });
  return packTar([
    entry(listName, new TextEncoder().encode(`${JSON.stringify(list, null, 2)}\n`)),
    ...names.map(([part, name]) => entry(name, parts[part])),
  ]);
}

/** Throws what is wrong with it, naming the file and the part. */
export async function unpackBackup(bytes: Uint8Array, file: string): Promise<Backup> {
  const entries = await entriesOf(bytes, file);
  const list = listIn(entries.get(listName), file);
  const found = names.map(([part, name]) => {
    const body = entries.get(name);
    const { bytes: size, sha256 } = list.parts[name] ?? {};
    if (body === undefined || sha256 === undefined) throw unusable(file, `${name} is missing in it`);
    const digest = digestOf(body);
    if (digest.bytes !== size || digest.sha256 !== sha256)
      throw unusable(file, `${name} was damaged: its content is not what ${listName} says`);
    return [part, body] as const;
  });
  const { trustDomain, node, createdMs, version } = list;
  return { trustDomain, node, createdMs, version, parts: Object.fromEntries(found) as Backup["parts"] };
}

async function entriesOf(bytes: Uint8Array, file: string): Promise<ReadonlyMap<string, Uint8Array>> {
  const { unpackTar } = await import("modern-tar");
  try {
    const entries = await unpackTar(Uint8Array.from(bytes), { strict: true });
    return new Map(entries.map(({ header, data }) => [header.name, data ?? new Uint8Array(0)]));
  } catch (error) {
    throw unusable(file, `it is no tar archive, or was cut (${problemOf(error)})`);
  }
}

function listIn(bytes: Uint8Array | undefined, file: string): List {
  if (bytes === undefined || bytes.length > limits.backupListBytesMax)
    throw unusable(file, `there is no ${listName} in it`);
  let list: Partial<List> | null;
  try {
    list = JSON.parse(new TextDecoder().decode(bytes)) as Partial<List> | null;
  } catch (error) {
    throw unusable(file, `${listName}: ${problemOf(error)}`);
  }
  const { format: written, trustDomain, node, createdMs, version, parts } = list ?? {};
  if (typeof written === "number" && written > format)
    throw new UserError(
      `Cannot restore ${file}: its format is ${written}, this version knows ${format}`,
      `heddle ${String(version)} wrote it: restore it with that version or a later one`,
    );
  const isText = [trustDomain, node, version].every((each) => typeof each === "string");
  if (written !== format || !isText || typeof createdMs !== "number" || typeof parts !== "object")
    throw unusable(file, `${listName} is not what heddle writes there`);
  return list as List;
}

function digestOf(bytes: Uint8Array): { readonly bytes: number; readonly sha256: string } {
  return { bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
}

function unusable(file: string, problem: string): UserError {
  return new UserError(`Cannot restore ${file}: ${problem}`, "Expected a file that heddle backup wrote");
}
