/**
 * How `heddle upgrade` asks a running mode to hand over, and hears what came of it: two files in the state folder, and SIGUSR2, on which
 * the mode reads the first and then writes the second.
 */
import type { Files } from "../../../runtime/contract.ts";
import { UserError } from "../../base/user_error.ts";
import type { StateFolder } from "../state_folder.ts";
import type { Mode } from "../settings.ts";

export interface UpgradeRequest {
  /** Of this request alone. */
  readonly id: string;
  /** Absolute path of the program that is to take over; null: it is asked only whether one could now. */
  readonly program: string | null;
  /** Absolute path of one that serves where that fails after this one has ended. */
  readonly back: string;
  /** How long what is open may go on, milliseconds. */
  readonly drainMs: number;
  /** Where too many generations drain already: how long the oldest may go on, milliseconds; null: the upgrade is refused. */
  readonly cutAfterMs: number | null;
}

export interface UpgradeAnswer {
  readonly id: string;
  /** Why it was not done; null: it was. */
  readonly problem: string | null;
  /** The process that serves now. */
  readonly main: number;
}

export function requestPath({ path }: StateFolder, mode: Mode): string {
  return `${path}/upgrade.${mode}.json`;
}

export function answerPath({ path }: StateFolder, mode: Mode): string {
  return `${path}/upgraded.${mode}.json`;
}

/** null: there is none, or it makes no sense. */
export function readRequest(files: Pick<Files, "readSync">, path: string): UpgradeRequest | null {
  const read = readObject(files, path);
  if (read === null) return null;
  const { id, program, back, drainMs, cutAfterMs } = read;
  const isWhole =
    typeof id === "string" &&
    (program === null || isAbsolute(program)) &&
    isAbsolute(back) &&
    isMs(drainMs) &&
    isMsOrNull(cutAfterMs);
  return isWhole ? { id, program, back, drainMs, cutAfterMs } : null;
}

/**
 * Throws where what is asked comes from somebody who could not put another program in place himself: only root and whoever owns the
 * program that runs (`own`: its file) may ask, and only for programs that nobody else can change. Other modes of this machine run
 * as the same user, and write to the same folder: they may not make this one run what they like.
 */
export async function requireRightful(
  files: Pick<Files, "stat">,
  own: string,
  path: string,
  { program, back }: Pick<UpgradeRequest, "program" | "back">,
): Promise<void> {
  const owners = [0, (await files.stat(own))?.owner ?? 0];
  const programs = [program, back].filter((each) => each !== null);
  const folders = programs.map((each) => each.slice(0, each.lastIndexOf("/")) || "/");
  for (const each of [path, ...programs, ...folders]) {
    const found = await files.stat(each);
    if (found === null) throw new UserError(`${each} is not there`);
    if (owners.includes(found.owner) && (found.mode & othersWrite) === 0) continue;
    throw new UserError(
      `${each} belongs to user ${found.owner}${(found.mode & othersWrite) === 0 ? "" : ", and everybody may change it"}: root or the owner of the program that runs asks for an upgrade, by heddle upgrade`,
    );
  }
}

const othersWrite = 0o002;

export function readAnswer(files: Pick<Files, "readSync">, path: string): UpgradeAnswer | null {
  const read = readObject(files, path);
  if (read === null) return null;
  const { id, problem, main } = read;
  const isWhole =
    typeof id === "string" && (problem === null || typeof problem === "string") && typeof main === "number";
  return isWhole ? { id, problem, main } : null;
}

function readObject(files: Pick<Files, "readSync">, path: string): Record<string, unknown> | null {
  const bytes = files.readSync(path);
  if (bytes === null) return null;
  try {
    const read = JSON.parse(new TextDecoder().decode(bytes)) as unknown;
    return typeof read === "object" && read !== null ? (read as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

function isAbsolute(value: unknown): value is string {
  return typeof value === "string" && value.startsWith("/");
}

function isMs(value: unknown): value is number {
  return typeof value === "number" && value >= 0;
}

function isMsOrNull(value: unknown): value is number | null {
  return value === null || isMs(value);
}
