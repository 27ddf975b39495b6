/** A request as policies are asked about it, and how it travels to their realm (`realm.ts` reads it). */
import { serviceKey, type ServiceName } from "../model/service.ts";
import type { PolicyBinding } from "../model/snapshot.ts";
import type { Fields } from "../wire/fields.ts";
import type { BodySeen } from "./bodies.ts";
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
  /** The body of what it is about, where a policy asks for it. Absent: none does. */
  readonly body?: BodySeen;
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
      ? known(aboutOf(call))
      : [aboutOf(call) ?? null, call.exchange ?? ""]),
    ...known(call.resumes),
  ]);
}

function known(value: unknown): unknown[] {
  return value === undefined ? [] : [value];
}

/** A request has nothing beside its head but its body. */
function aboutOf({ about, body }: PolicyCall): unknown {
  if (body === undefined) return about;
  const shown = body.unread === null ? { text: body.text } : { unread: body.unread };
  return about === undefined ? shown : { ...about, body: shown };
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
