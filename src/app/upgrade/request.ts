/**
 * How `heddle upgrade` asks a running mode to hand over, and hears what came of it: two files in the state folder, and SIGUSR2, on which
 * the mode reads the first and then writes the second.
 */
import type { Files } from "../../../runtime/contract.ts";
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
