/** Requests to a control API, and what comes back: JSON in both directions. */
import type { FieldEdits } from "../wire/fields.ts";
import { ControlRefusal } from "./control.ts";

export interface Answer {
  /** Whose it is. */
  readonly address: string;
  readonly status: number;
  readonly bytes: Uint8Array;
}

export const jsonEdits: FieldEdits = { remove: [], set: ["content-type", "application/json"], add: [] };

export function requestOf(
  method: string,
  target: string,
  authority: string,
  contentLength: number,
  upgrade: string | null = null,
) {
  return {
    method,
    target,
    authority,
    fields: null,
    nominated: null,
    contentLength,
    upgrade,
    expectContinue: false,
  };
}

export function parseJson(bytes: Uint8Array): unknown {
  if (bytes.length === 0) return null;
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return null;
  }
}

export function refusalOf({ address, status, bytes }: Answer): ControlRefusal {
  const problem = parseJson(bytes) as { error?: unknown } | null;
  const said =
    typeof problem?.error === "string"
      ? (problem as { error: string })
      : { error: `${status} ${new TextDecoder().decode(bytes.subarray(0, 200))}` };
  return new ControlRefusal(status, said, address);
}
