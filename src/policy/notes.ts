/**
 * What a policy noted beside its answer: lines for the log, counts, values. It comes out of a realm that a policy may have taken
 * over, so it is doubted as decisions are: what is no note is left out, what is too long is cut.
 */
import { limits } from "../model/limits.ts";
import type { PolicyNote } from "../telemetry/policy_notes.ts";

const levels: ReadonlySet<unknown> = new Set(["debug", "info", "warn", "error"]);
const nameForm = /^[a-z][a-z0-9_]{0,62}$/;
const none: readonly PolicyNote[] = [];

/** Of an answer as it came. Never throws. */
export function notesIn(answer: unknown): readonly PolicyNote[] {
  if (typeof answer !== "object" || answer === null) return none;
  const { notes } = answer as { readonly notes?: unknown };
  return Array.isArray(notes) ? notes.slice(0, limits.policyNotesMax).flatMap(noteOf) : none;
}

function noteOf(written: unknown): PolicyNote[] {
  if (!Array.isArray(written)) return [];
  const [what, first, second, beside] = written as readonly unknown[];
  if (what === "log" && typeof second === "string" && levels.has(first))
    return [{ what, level: first as "info", message: cut(second), fields: pairsOf(beside, " ") }];
  const fits =
    typeof first === "string" &&
    nameForm.test(first) &&
    typeof second === "number" &&
    Number.isFinite(second);
  if (!fits || (what !== "observe" && (what !== "count" || second < 0))) return [];
  return [{ what, name: first, value: second, labels: pairsOf(beside, ",") }];
}

const valueTypes: ReadonlySet<string> = new Set(["string", "number", "boolean"]);

function pairsOf(value: unknown, between: string): string {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return "";
  return Object.entries(value)
    .filter(([name, each]) => nameForm.test(name) && valueTypes.has(typeof each))
    .slice(0, limits.policyNotesMax)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, each]) => `${name}=${cut(String(each))}`)
    .join(between);
}

function cut(text: string): string {
  return text.slice(0, limits.policyNoteLengthMax);
}
