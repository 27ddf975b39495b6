/**
 * Formats of what lies in the state folder, counted. A version reads its own format and the one before, and what it writes the version
 * before can read: so an upgrade goes one step forward, and one step back. The folder says what wrote it last, and from which format on
 * a version can read that.
 */
import type { Files } from "../../../runtime/contract.ts";
import { UserError } from "../../base/user_error.ts";
import type { StateFolder } from "../state_folder.ts";

export interface StateFormat {
  /** What it writes, or was written last. */
  readonly writes: number;
  /** Of a version: the oldest that it reads. Of a folder: the oldest version's that can read it. */
  readonly from: number;
}

/** Of this version. To be counted on where what a version before this one does not understand is written. */
export const stateFormat: StateFormat = { writes: 1, from: 1 };

/** Folders of versions that did not say. */
const unsaid: StateFormat = { writes: 1, from: 1 };

/** Whether a version can read a folder. */
export function reads(version: StateFormat, folder: StateFormat): boolean {
  return folder.writes <= version.writes ? folder.writes >= version.from : folder.from <= version.writes;
}

/** Throws where it says something that is no format. */
export async function readFormat(
  files: Pick<Files, "read">,
  folder: Pick<StateFolder, "format">,
): Promise<StateFormat> {
  const bytes = await files.read(folder.format);
  if (bytes === null) return unsaid;
  const text = new TextDecoder().decode(bytes);
  const [, writes = "", from = ""] = /^(\d{1,6}) (\d{1,6})\n$/.exec(text) ?? [];
  if (writes !== "" && Number(from) <= Number(writes)) return { writes: Number(writes), from: Number(from) };
  throw new UserError(
    `Cannot read ${folder.format}: expected two numbers and the end of a line ("2 1"), found ${JSON.stringify(text.slice(0, 40))}`,
    "It says which versions of heddle can read the folder; restore it from a backup",
  );
}

/** Throws where this version cannot read the folder; else the folder says from now on that this version wrote it. */
export async function requireFormat(
  files: Pick<Files, "read" | "writeAtomic">,
  folder: Pick<StateFolder, "format" | "path">,
  version: StateFormat = stateFormat,
): Promise<void> {
  const stands = await readFormat(files, folder);
  if (!reads(version, stands))
    throw new UserError(
      `Cannot use the state in ${folder.path}: it is of format ${stands.writes}, which versions from format ${stands.from} on can read, and this one reads ${version.from} to ${version.writes}`,
      stands.writes > version.writes ? "Run a newer heddle there" : "Upgrade one version after the other",
    );
  const from = Math.max(1, version.writes - 1);
  if (stands.writes === version.writes && stands.from === from) return;
  await files.writeAtomic(folder.format, `${version.writes} ${from}\n`, 0o644);
}
