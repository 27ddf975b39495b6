/** Bodies on their way into a hook, and JSON on its way out of one. Bundled with every policy. */
import type { PolicyBody, UnreadBody } from "./sdk_bodies.ts";

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
