/** Bodies as authors of policies find them. Part of `heddle/policy`. */

/**
 * Why a body is not shown: it is longer than `limits.body`, compressed, no JSON (by its content type, by what it is, or because more than 256
 * arrays and objects are within one another), or was left out:
 * too much waits in this proxy already, or it is a request of a recording.
 */
export type UnreadBody = "too long" | "encoded" | "no JSON" | "left out";

/** What is found of a body where `uses` asks for it. */
export interface PolicyBody {
  /** The whole body, parsed. undefined: there is none, or it is `unread`. Of a name that stands twice the last value counts. */
  readonly json?: unknown;
  /** Why `json` is missing though there is a body, or may be; null: it is not. */
  readonly unread: UnreadBody | null;
}

/**
 * One event of a stream of server-sent events.
 *
 * ```ts
 * import { definePolicy } from "heddle/policy";
 * import * as v from "valibot";
 *
 * export default definePolicy({
 *   api: 1,
 *   name: "no-numbers",
 *   version: "1.0.0",
 *   options: v.strictObject({}),
 *   onError: "closed",
 *   onEvent(event) {
 *     return event.event === "debug" ? null : { ...event, data: event.data.replaceAll(/[0-9]{4,}/g, "****") };
 *   },
 * });
 * ```
 */
export interface PolicyEvent {
  /** Its type; absent: `message`. */
  readonly event?: string;
  readonly id?: string;
  /** Lines joined by a line feed. */
  readonly data: string;
}

/**
 * Bytes of a body on their way.
 *
 * ```ts
 * import { definePolicy } from "heddle/policy";
 * import * as v from "valibot";
 *
 * export default definePolicy({
 *   api: 1,
 *   name: "first-bytes",
 *   version: "1.0.0",
 *   options: v.strictObject({}),
 *   onError: "open",
 *   onChunk({ of, bytes }, context) {
 *     if (context.scratch.has(of)) return;
 *     context.scratch.set(of, true);
 *     context.count("begins", 1, { of, gzip: String(bytes[0] === 0x1f && bytes[1] === 0x8b) });
 *   },
 * });
 * ```
 */
export interface PolicyChunk {
  readonly of: "request" | "response";
  readonly bytes: Uint8Array;
  /** Bytes before these that are not shown: too much waited for this policy then. */
  readonly missed: number;
}
