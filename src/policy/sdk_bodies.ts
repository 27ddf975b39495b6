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

/** As they travel to the realm: `text` is "" where there is none. */
export interface WrittenBody {
  readonly text?: string;
  readonly unread?: UnreadBody;
}

/** What a hook finds of it. `asked`: whether its policy asks for it. */
export function bodySeen(written: WrittenBody | undefined, asked: boolean): PolicyBody {
  if (!asked) return { unread: null };
  const { text, unread = "left out" } = written ?? {};
  if (text === undefined) return { unread };
  if (text === "") return { unread: null };
  try {
    return { json: JSON.parse(text) as unknown, unread: null };
  } catch {
    return { unread: "no JSON" };
  }
}

/** A decision that has JSON to go on, as it travels: its text. What is no decision stays as it is. */
export function withJsonAsText(decision: unknown): unknown {
  if (typeof decision !== "object" || decision === null) return decision;
  const { json, ...rest } = decision as { readonly json?: unknown };
  if (json === undefined) return decision;
  const text = JSON.stringify(json) as string | undefined;
  if (text === undefined) throw new TypeError("what it gives as json cannot be written as JSON");
  return { ...rest, json: text };
}
