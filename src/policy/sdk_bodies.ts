/** Bodies as authors of policies find them. Part of `heddle/policy`. */

/**
 * Why a body is not shown: it is longer than `limits.body`, compressed, no JSON (by its content type, or by what it is), or was left out:
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
