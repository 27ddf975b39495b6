/**
 * What a policy answered, checked: it comes out of a realm that a policy may have taken over, so everything about it is
 * doubted. Header edits that would touch framing, hops or identity make the whole answer invalid.
 */
import { limits } from "../model/limits.ts";
import type { FieldEdits } from "../wire/fields.ts";
import type { StreamEvent } from "../wire/event_stream.ts";
import { decisions, type Hook } from "./hooks.ts";
import { fieldOverheadBytes } from "../wire/h2/field_line.ts";
import type { NormalTarget } from "../wire/target.ts";
import {
  clamped,
  fieldName,
  nameOf,
  pairsOf,
  recordOf,
  Refusal,
  shown,
  targetOf,
  textOf,
} from "./said_values.ts";
import { sendingOf, type Copied, type Sending } from "./sending.ts";
import { waitOf, type WaitDecision } from "./wait_decision.ts";

/** What it goes on with in place of its body: a text. Absent: as it came. */
export interface Rewritten {
  readonly json?: string;
}

/** Of an answer. Absent: as it came. */
export interface OtherStatus {
  readonly status?: number;
  /** Its instance failed, whatever its status is. */
  readonly failed?: true;
}

export type CheckedDecision =
  | ({ readonly do: "next"; readonly edits: FieldEdits; readonly target: NormalTarget | null } & Sending &
      Copied &
      Rewritten &
      OtherStatus)
  | ({
      readonly do: "route";
      readonly service: string;
      readonly subset: string | null;
      readonly edits: FieldEdits;
      readonly target: NormalTarget | null;
    } & Sending &
      Copied &
      Rewritten)
  | {
      readonly do: "respond";
      readonly status: number;
      readonly headers: FieldEdits;
      readonly body: string;
      readonly reason: string;
    }
  /** Ids of endpoints, the dearest first. */
  | { readonly do: "prefer"; readonly ids: readonly string[] }
  /** Of each event that it was shown: 0 for as it came, null for nothing. */
  | { readonly do: "events"; readonly events: readonly (StreamEvent | 0 | null)[] }
  /** None yet: it waits for what the proxy is to find out. */
  | WaitDecision
  /** The code of the policy failed, and why. */
  | { readonly do: "fail"; readonly reason: string }
  /** Not a decision: why. */
  | { readonly do: "invalid"; readonly reason: string };

const none: FieldEdits = { remove: [], set: [], add: [] };

/** Checks what a policy answered when this hook was asked. Never throws. */
export function checkDecision(answer: unknown, hook: Hook): CheckedDecision {
  try {
    return checked(recordOf(answer, "decision"), hook);
  } catch (error) {
    if (error instanceof Refusal) return { do: "invalid", reason: clamped(error.message) };
    throw error;
  }
}

function checked(answer: Readonly<Record<string, unknown>>, hook: Hook): CheckedDecision {
  const may: readonly unknown[] = decisions[hook];
  const decided = answer["do"];
  if (decided !== "fail" && decided !== "wait" && !may.includes(decided))
    throw new Refusal(`it decided ${shown(decided)}, which is not one of ${may.join(", ")}`);
  switch (decided) {
    case "next":
      return {
        do: "next",
        edits: editsOf(answer["headers"]),
        target: targetOf(answer["path"]),
        ...sendingOf(answer),
        ...(answer["json"] === undefined ? {} : { json: textOf(answer["json"], "body") }),
        ...(answer["status"] === undefined ? {} : { status: statusOf(answer["status"]) }),
        ...failedOf(answer["failed"]),
      };
    case "route":
      return {
        do: "route",
        service: nameOf(answer["service"], "service"),
        subset: answer["subset"] === undefined ? null : nameOf(answer["subset"], "subset"),
        edits: editsOf(answer["headers"]),
        target: targetOf(answer["path"]),
        ...sendingOf(answer),
        ...(answer["json"] === undefined ? {} : { json: textOf(answer["json"], "body") }),
      };
    case "respond":
      return {
        do: "respond",
        status: statusOf(answer["status"]),
        headers: fitting({ ...none, set: pairsOf(answer["headers"]) }),
        body: answer["body"] === undefined ? "" : textOf(answer["body"], "body"),
        reason: clamped(textOf(answer["reason"], "reason")),
      };
    case "deny":
      return {
        do: "respond",
        status: 403,
        headers: none,
        body: "",
        reason: clamped(textOf(answer["reason"], "reason")),
      };
    case "prefer":
      return { do: "prefer", ids: idsOf(answer["ids"]) };
    case "events":
      return { do: "events", events: eventsOf(answer["events"]) };
    case "wait":
      return waitOf(answer);
    case "fail":
      return { do: "fail", reason: clamped(textOf(answer["reason"], "reason")) };
    default:
      throw new Refusal(`it decided ${shown(decided)}, which nobody knows`);
  }
}

function statusOf(value: unknown): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= 200 && value <= 599) return value;
  throw new Refusal(
    `its status is ${typeof value === "number" ? value : shown(value)}, not a number from 200 to 599`,
  );
}

function failedOf(value: unknown): Pick<OtherStatus, "failed"> {
  if (value === undefined || value === false) return {};
  if (value !== true) throw new Refusal(`its failed is ${shown(value)}, not true or false`);
  return { failed: value };
}

function idsOf(value: unknown): string[] {
  if (!Array.isArray(value)) throw new Refusal("the endpoints that it prefers are no list");
  if (value.length > limits.policyEndpointsMax) throw new Refusal(`it prefers ${value.length} endpoints`);
  return value.map((id) => textOf(id, "endpoint"));
}

function eventsOf(value: unknown): (StreamEvent | 0 | null)[] {
  if (!Array.isArray(value)) throw new Refusal("the events that it gives back are no list");
  return value.map((each) => (each === 0 || each === null ? each : eventOf(each)));
}

function eventOf(value: unknown): StreamEvent {
  const { event, id, data } = recordOf(value, "event");
  return {
    ...(event === undefined ? {} : { event: lineOf(event, "type of an event") }),
    ...(id === undefined ? {} : { id: lineOf(id, "id of an event") }),
    data: textOf(data, "data of an event"),
  };
}

/** What stands in a line of a stream of events. */
function lineOf(value: unknown, what: string): string {
  const text = textOf(value, what);
  if (/[\r\n\0]/.test(text)) throw new Refusal(`its ${what} has the end of a line in it`);
  return text;
}

function editsOf(value: unknown): FieldEdits {
  if (value === undefined) return none;
  const edits = recordOf(value, "header edit");
  const remove = edits["remove"] ?? [];
  if (!Array.isArray(remove)) throw new Refusal("the header names that it removes are no list");
  if (remove.length > limits.fieldCountMax) throw new Refusal(`it removes ${remove.length} header fields`);
  return fitting({
    remove: remove.map((name) => fieldName(textOf(name, "header name"))),
    set: pairsOf(edits["set"]),
    add: pairsOf(edits["add"]),
  });
}

function fitting(edits: FieldEdits): FieldEdits {
  const bytes = bytesOf(edits);
  if (bytes <= limits.policyHeadBytesMax) return edits;
  throw new Refusal(`it writes ${bytes} bytes of header fields, more than ${limits.policyHeadBytesMax}`);
}

/**
 * What edits add to a head at most, as RFC 9113 section 6.5.2 counts. Who takes them in at the other end of a shared connection
 * would end it, and all requests on it, for a head that is many times too long.
 */
export function bytesOf({ set, add }: FieldEdits): number {
  return lengthOf(set) + lengthOf(add);
}

function lengthOf(pairs: readonly string[]): number {
  let bytes = (pairs.length / 2) * fieldOverheadBytes;
  for (const text of pairs) bytes += text.length;
  return bytes;
}
