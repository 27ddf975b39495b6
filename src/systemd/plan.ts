/**
 * What is to be done to a machine, as data: files and commands in their order. It can be shown before, done, done again after an
 * interruption (each step is one that may be repeated), and turned round. Installing is one such plan; so is whatever else heddle
 * changes outside of its state folder.
 */

export type Step = WriteStep | CopyStep | RunStep | RemoveStep;

/** A file with this text. One that stands there and was not written by heddle is left, and the plan refused. */
export interface WriteStep {
  readonly kind: "write";
  readonly path: string;
  readonly text: string;
}

/** This very program as an executable file. */
export interface CopyStep {
  readonly kind: "copy";
  readonly path: string;
}

export interface RunStep {
  readonly kind: "run";
  /** null: only its undoing does something. */
  readonly command: readonly string[] | null;
  /** `changed`: only where something before it was changed, now or in an attempt that was interrupted; `unchanged`: only where not. */
  readonly when: "always" | "changed" | "unchanged";
  /** What undoes it; null: nothing. */
  readonly undo: readonly string[] | null;
  /** Only where all of these files are: without them there is nothing to do. */
  readonly needs?: readonly string[];
  /** Codes with which it may end, besides 0. */
  readonly fine?: readonly number[];
  /** The same two of its undoing. */
  readonly undoNeeds?: readonly string[];
  readonly undoFine?: readonly number[];
}

/** A file or folder with all that is in it. */
export interface RemoveStep {
  readonly kind: "remove";
  readonly path: string;
  /** Only what heddle wrote (its first line says so): the rest is left, and told. */
  readonly onlyOwn: boolean;
  /** Only a folder that is empty by then. */
  readonly onlyEmpty?: boolean;
}

/** The steps that take the plan back, those that came last first. */
export function undoOf(steps: readonly Step[]): readonly Step[] {
  return steps.toReversed().flatMap((step): Step[] => {
    if (step.kind === "write") return [{ kind: "remove", path: step.path, onlyOwn: true }];
    if (step.kind === "copy") return [{ kind: "remove", path: step.path, onlyOwn: false }];
    if (step.kind === "remove" || step.undo === null) return [];
    const { undo, undoNeeds: needs = [], undoFine: fine = [] } = step;
    return [{ kind: "run", command: undo, when: "always", undo: null, needs, fine }];
  });
}

/** A step on one line, for people. */
export function stepText(step: Step): string {
  if (step.kind === "write") return `write ${step.path}`;
  if (step.kind === "copy") return `copy this program to ${step.path}`;
  if (step.kind === "remove")
    return `remove ${step.path}${step.onlyEmpty === true ? ", if it is empty" : ""}`;
  return `run ${(step.command ?? []).join(" ")}`;
}

/** The whole plan: every file with its text, every command. */
export function planLines(steps: readonly Step[]): readonly string[] {
  return steps.flatMap((step) => {
    if (step.kind === "run" && step.command === null) return [];
    const condition = step.kind === "run" ? conditions[step.when] : "";
    const text = step.kind === "write" ? step.text.trimEnd().split("\n") : [];
    return [`${stepText(step)}${condition}`, ...text.map((line) => `    ${line}`.trimEnd())];
  });
}

const conditions: Readonly<Record<RunStep["when"], string>> = {
  always: "",
  changed: ", if anything was changed",
  unchanged: ", if nothing was changed",
};
