/**
 * Does a plan. What stands already as it should be is left alone, so a plan that was interrupted is finished by doing it again: until
 * it is whole, a mark in a folder that a reboot empties says that something was changed.
 */
import type { Files, ProcessHost } from "../../runtime/contract.ts";
import { sameBytes } from "../base/bytes.ts";
import { UserError } from "../base/user_error.ts";
import { runCommand } from "./commands.ts";
import { stepText, type RunStep, type Step } from "./plan.ts";
import { writtenByHeddle } from "./unit_text.ts";

export interface ApplyHost {
  readonly files: Files;
  readonly process: Pick<ProcessHost, "spawn" | "env" | "pid">;
}

export interface ApplyOptions {
  /** The file that says that a plan has begun and is not whole. */
  readonly mark: string;
  /** Hears of each step that does something. */
  readonly said: (text: string) => void;
}

/** The file that always is the running program, also when its own was replaced. */
const ownProgram = "/proc/self/exe";
const executable = 0o755;
const readable = 0o644;

/** Throws where a plan would write over what is not heddle's. To be called before anything else is done. */
export async function requireOwnFiles(files: Files, steps: readonly Step[]): Promise<void> {
  for (const step of steps) {
    if (step.kind !== "write" || (await isOwnOrAbsent(files, step.path))) continue;
    throw new UserError(
      `Cannot write ${step.path}: it is there, and heddle did not write it`,
      "Look what it is for and move it away; or stay in the foreground: --foreground",
    );
  }
}

/** Returns whether anything was changed, now or in an attempt that was interrupted. */
export async function applyPlan(
  host: ApplyHost,
  steps: readonly Step[],
  { mark, said }: ApplyOptions,
): Promise<boolean> {
  const { files } = host;
  await requireOwnFiles(files, steps);
  let changed = (await files.stat(mark)) !== null;
  const change = async (step: Step, work: () => Promise<void>): Promise<void> => {
    if (!changed) await files.writeAtomic(mark, "");
    changed = true;
    said(stepText(step));
    await work();
  };
  for (const step of steps) {
    if (step.kind === "run") {
      if (!(await applies(files, step, changed))) continue;
      if (changed || step.needs !== undefined) said(stepText(step));
      await runCommand(host.process, step.command ?? [], step.fine);
    } else {
      const work = await workOf(files, step);
      if (work === "left") said(`leave ${step.path}: heddle did not write it`);
      else if (work !== null) await change(step, work);
      // Of a write that was cut there may be a rest.
      else if (step.kind === "remove" && step.onlyEmpty !== true) await files.remove(step.path);
    }
  }
  await files.remove(mark);
  return changed;
}

/** Those that have anything to do, as things stand. */
export async function pendingSteps(files: Files, steps: readonly Step[]): Promise<readonly Step[]> {
  const pending: Step[] = [];
  for (const step of steps) {
    const has = step.kind === "run" ? await applies(files, step, true) : (await workOf(files, step)) !== null;
    if (has) pending.push(step);
  }
  return pending;
}

async function applies(
  files: Files,
  { command, when, needs = [] }: RunStep,
  changed: boolean,
): Promise<boolean> {
  if (command === null || (changed ? when === "unchanged" : when === "changed")) return false;
  const stats = await Promise.all(needs.map((path) => files.stat(path)));
  return stats.every((stat) => stat !== null);
}

type Work = () => Promise<void>;

/** null: it stands as it should be. */
async function workOf(files: Files, step: Exclude<Step, RunStep>): Promise<Work | "left" | null> {
  const { path } = step;
  if (step.kind === "write") {
    const bytes = new TextEncoder().encode(step.text);
    return (await stands(files, path, bytes, readable)) ? null : () => write(files, path, bytes, readable);
  }
  if (step.kind === "copy") {
    const bytes = await files.read(ownProgram);
    if (bytes === null) throw new UserError(`Cannot copy this program: there is no ${ownProgram}`);
    return (await stands(files, path, bytes, executable))
      ? null
      : () => write(files, path, bytes, executable);
  }
  if ((await files.stat(path)) === null) return null;
  if (step.onlyEmpty === true && (await files.list(path)).length > 0) return null;
  if (step.onlyOwn && !(await isOwnOrAbsent(files, path))) return "left";
  return () => files.remove(path);
}

async function stands(files: Files, path: string, bytes: Uint8Array, mode: number): Promise<boolean> {
  const stat = await files.stat(path);
  if (stat === null || stat.folder || stat.mode !== mode || stat.size !== bytes.length) return false;
  const found = await files.read(path);
  return found !== null && found.length === bytes.length && sameBytes(found, bytes, 0, bytes.length);
}

async function write(files: Files, path: string, bytes: Uint8Array, mode: number): Promise<void> {
  await files.makeFolder(path.slice(0, path.lastIndexOf("/")), executable);
  await files.writeAtomic(path, bytes, mode);
}

async function isOwnOrAbsent(files: Files, path: string): Promise<boolean> {
  const bytes = await files.read(path);
  return bytes === null || new TextDecoder().decode(bytes).startsWith(writtenByHeddle);
}
