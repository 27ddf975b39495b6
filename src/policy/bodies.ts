/**
 * Bodies as policies see them that ask for JSON: the text of one that is there whole, or why it is not shown. Nothing but a body that says
 * of itself that it is JSON, in no encoding, waits for a policy.
 */
import { limits } from "../model/limits.ts";
import type { BodiesRead, PolicyBinding } from "../model/snapshot.ts";
import type { Fields } from "../wire/fields.ts";
import { bodyUses, type Hook } from "./hooks.ts";
import type { UnreadBody } from "./sdk_bodies.ts";

export interface BodySeen {
  /** "" where there is none, or it is not shown. */
  readonly text: string;
  readonly bytes: number;
  /** Why it is not shown; null: it is. */
  readonly unread: UnreadBody | null;
}

export type BodyOf = keyof BodiesRead;

const nothing: BodySeen = { text: "", bytes: 0, unread: null };

export function unreadBody(why: UnreadBody): BodySeen {
  return { ...nothing, unread: why };
}

/** The longest body that one of these policies wants to see, in bytes; 0: none does. */
export function bodyBytesFor(bindings: readonly PolicyBinding[], of: BodyOf): number {
  let most = 0;
  for (const { bodies, candidate } of bindings) {
    if (bodies !== undefined) most = Math.max(most, bodies[of] ?? 0);
    const tried = candidate?.binding.bodies;
    if (tried !== undefined) most = Math.max(most, tried[of] ?? 0);
  }
  return most;
}

/** What is known by the head alone; null: the body has to come first. `length`: -1 when nobody said. */
export function bodyByHead(fields: Fields, length: number, most: number): BodySeen | null {
  if (length === 0) return nothing;
  const [type = "", ...more] = fields.getAll("content-type");
  if (more.length > 0 || !/^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(type))
    return unreadBody("no JSON");
  if (isEncoded(fields)) return unreadBody("encoded");
  return length > most ? unreadBody("too long") : null;
}

export function isEncoded(fields: Fields): boolean {
  return fields.getAll("content-encoding").some((encoding) => !/^(?:identity)?$/i.test(encoding));
}

/** All of it came. JSON is UTF-8 (RFC 8259, section 8.1), and how deep it may be is the reader's to say (section 9). */
export function bodyInFull(bytes: Uint8Array): BodySeen {
  if (isTooDeep(bytes)) return unreadBody("no JSON");
  try {
    return {
      text: new TextDecoder("utf-8", { fatal: true }).decode(bytes),
      bytes: bytes.length,
      unread: null,
    };
  } catch {
    return unreadBody("no JSON");
  }
}

const [quote, bracket, backslash, bracketEnd, brace, braceEnd] = [0x22, 0x5b, 0x5c, 0x5d, 0x7b, 0x7d];

function isTooDeep(json: Uint8Array): boolean {
  let depth = 0;
  let inText = false;
  for (let at = 0; at < json.length; at++) {
    const byte = json[at];
    if (inText) {
      if (byte === backslash) at++;
      else if (byte === quote) inText = false;
    } else if (byte === quote) inText = true;
    else if (byte === bracket || byte === brace) {
      if (++depth > limits.policyBodyDepthMax) return true;
    } else if (byte === bracketEnd || byte === braceEnd) depth--;
  }
  return false;
}

/** As a policy wrote it. */
export function bodyWritten(text: string): BodySeen {
  return { text, bytes: new TextEncoder().encode(text).length, unread: null };
}

/** As this policy sees it at this hook; undefined: not at all. */
export function bodyFor(
  seen: BodySeen | undefined,
  hook: Hook,
  { bodies }: PolicyBinding,
): BodySeen | undefined {
  const of = bodyUses.find((each) => each.hook === hook)?.of;
  const most = of === undefined ? undefined : bodies?.[of];
  if (seen === undefined || most === undefined) return undefined;
  return seen.bytes > most ? unreadBody("too long") : seen;
}

/** Whether this policy sees a body there. */
export function isShown(
  { body, hook }: { readonly body?: BodySeen | undefined; readonly hook: Hook },
  binding: PolicyBinding,
): boolean {
  const seen = bodyFor(body, hook, binding);
  return seen !== undefined && seen.bytes > 0;
}

/** What is then wrong with one that it writes. */
export const wroteUnseen = "it writes a body where it has seen none";

/** Of fields that tell of a body as it was: they go where a policy writes another (RFC 9530, RFC 1864). */
export const digestFields: readonly string[] = ["content-digest", "repr-digest", "digest", "content-md5"];
