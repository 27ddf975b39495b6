/** Values in what a policy answered, each read with doubt: what does not fit is a `Refusal` that says so. */
import { limits } from "../model/limits.ts";
import { reservedFields } from "../model/reserved_fields.ts";
import { classes, targetBit, tokenBit, valueBit } from "../wire/h1/grammar.ts";
import { carelessly, isOwnName } from "../wire/own_names.ts";
import { normalTarget, type NormalTarget } from "../wire/target.ts";

/** It is no decision: why. */
export class Refusal extends Error {}

export function shown(value: unknown): string {
  return typeof value === "string" ? `"${value.slice(0, 40)}"` : typeof value;
}

export function clamped(reason: string): string {
  return reason.slice(0, limits.policyReasonLengthMax);
}

export function recordOf(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Refusal(`its ${what} is ${value === null ? "null" : typeof value}, not an object`);
  }
  return value as Readonly<Record<string, unknown>>;
}

export function textOf(value: unknown, what: string): string {
  if (typeof value !== "string") throw new Refusal(`its ${what} is no text but ${typeof value}`);
  return value;
}

/** Names of services and subsets as documents have them, a service with or without its namespace. */
const nameForm = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$/;

export function nameOf(value: unknown, what: string): string {
  const name = textOf(value, what);
  if (!nameForm.test(name)) throw new Refusal(`${shown(name)} is no name of a ${what}`);
  return name;
}

/** As strict as towards a client: rules and the app see what comes out of the same normalisation. */
export function targetOf(value: unknown): NormalTarget | null {
  if (value === undefined) return null;
  const written = textOf(value, "path");
  const fits = written.startsWith("/") && written.length <= limits.targetBytesMax && all(written, targetBit);
  const target = fits ? normalTarget(written) : null;
  if (target === null) throw new Refusal(`${shown(written)} is no path to forward`);
  return target;
}

export function pairsOf(value: unknown): string[] {
  if (value === undefined) return [];
  const entries = Object.entries(recordOf(value, "header list"));
  if (entries.length > limits.fieldCountMax) throw new Refusal(`it writes ${entries.length} header fields`);
  return entries.flatMap(([name, field]) => [fieldName(name), fieldValue(name, field)]);
}

export function fieldName(name: string): string {
  const lower = name.toLowerCase();
  if (lower === "" || !all(lower, tokenBit)) throw new Refusal(`${shown(name)} is no header name`);
  if (reservedFields.has(carelessly(name)) || isOwnName(name)) {
    throw new Refusal(`a policy must not change the header ${lower}`);
  }
  return lower;
}

function fieldValue(name: string, value: unknown): string {
  const text = textOf(value, `header ${name}`);
  const fits = text.length <= limits.policyFieldLengthMax && all(text, valueBit) && text.trim() === text;
  if (!fits) throw new Refusal(`the value of its header ${name} is malformed or too long`);
  return text;
}

/** Every letter is one byte on the wire and of the class. */
function all(text: string, bit: number): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code > 0xff || ((classes[code] as number) & bit) === 0) return false;
  }
  return true;
}
