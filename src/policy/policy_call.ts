/** A request as policies are asked about it, and how it travels to their realm (`realm.ts` reads it). */
import { serviceKey, type ServiceName } from "../model/service.ts";
import type { PolicyBinding } from "../model/snapshot.ts";
import type { Fields } from "../wire/fields.ts";
import { hooks, type Hook } from "./hooks.ts";
import type { AskService } from "./service_call.ts";

/** What policies learn of a request. Read while `evaluate` runs and not kept. */
export interface PolicyCall {
  readonly hook: Hook;
  readonly method: string;
  /** Host and port that are meant, lower case. */
  readonly authority: string;
  /** Path and query, normalised. */
  readonly target: string;
  readonly fields: Pick<Fields, "count" | "nameAt" | "valueAt">;
  /** Verified SPIFFE ID of the caller; "" when there is none. */
  readonly sourceId: string;
  /** The service that was called. */
  readonly service: ServiceName;
  readonly requestId: string;
  /** Which of the exchanges under way it is about: their clients choose request ids, and give one to several. Absent: not known. */
  readonly exchange?: string;
  /** Milliseconds that its caller still waits. Absent: nobody said. */
  readonly deadlineMs?: number;
  /** Of whoever connected, at the caller's side. Absent: not known. */
  readonly address?: string;
  /** What the hook is about beside the head that `fields` are of. Absent: nothing. Plain data. */
  readonly about?: unknown;
  /** Ticket of a call that waited for what this one is about. Absent: it is a call of its own. */
  readonly resumes?: number;
  /** How services are asked on its behalf; not encoded. Absent: they cannot be. */
  readonly services?: AskService;
}

/** `decision` is what the policy said, unchecked. */
export type PolicyAnswer =
  | { readonly ok: true; readonly decision: unknown; readonly us: number }
  | { readonly ok: false; readonly reason: string; readonly us: number };

/**
 * `atMs`: what the clock of the policy said, milliseconds since 1970. Absent: it did not answer. `by`: who was asked, where that is the
 * version before the one that was meant.
 */
export type Answer = (answer: PolicyAnswer, atMs?: number, by?: PolicyBinding) => void;

/** Taken down at once: the head it is read from is not kept. */
export function encodeCall(binding: number, call: PolicyCall): string {
  return JSON.stringify([
    binding,
    call.requestId,
    call.method,
    call.authority,
    call.target,
    call.sourceId,
    serviceKey(call.service),
    flatten(call.fields),
    // Behind the rest: the realm of a bundle that knows one hook only does not look for it.
    hooks.indexOf(call.hook),
    call.deadlineMs ?? null,
    call.address ?? null,
    ...(call.exchange === undefined && call.resumes === undefined
      ? aboutOf(call)
      : [call.about ?? null, call.exchange ?? ""]),
    ...(call.resumes === undefined ? [] : [call.resumes]),
  ]);
}

function aboutOf({ about }: PolicyCall): unknown[] {
  return about === undefined ? [] : [about];
}

/** Name, value, name, value …. */
export function flatten(fields: PolicyCall["fields"]): string[] {
  const flat = new Array<string>(fields.count * 2);
  for (let index = 0; index < fields.count; index++) {
    flat[index * 2] = fields.nameAt(index);
    flat[index * 2 + 1] = fields.valueAt(index);
  }
  return flat;
}
