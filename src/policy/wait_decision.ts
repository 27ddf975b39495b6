/** What a policy says that it waits for, checked: requests to services and signatures to look at. */
import { limits } from "../model/limits.ts";
import type { ServiceCall } from "./service_call.ts";
import { nameOf, pairsOf, recordOf, Refusal, shown, targetOf, textOf } from "./said_values.ts";
import type { SharedSettle, SharedTake } from "./shared_counters.ts";
import { isAlgorithm, type SignatureClaim } from "./signature.ts";

/** `service`: as it was written, `keys` or `keys.other`. */
export type WantedCall = Omit<ServiceCall, "service"> & { readonly do: "call"; readonly service: string };

export type Wanted =
  | WantedCall
  | (SharedTake & { readonly do: "take" })
  | (SharedSettle & { readonly do: "settle" })
  | (SignatureClaim & { readonly do: "verify" });

export interface WaitDecision {
  readonly do: "wait";
  /** By which its realm knows the call again. */
  readonly ticket: number;
  /** At least one. */
  readonly wants: readonly Wanted[];
}

/** Whether an answer, unchecked, is none yet: what its policy does with what it is given may still fail. */
export function isWaiting(answer: unknown): boolean {
  return (answer as { readonly do?: unknown } | null)?.do === "wait";
}

/** Throws a `Refusal`. */
export function waitOf(answer: Readonly<Record<string, unknown>>): WaitDecision {
  const { ticket, wants } = answer;
  if (typeof ticket !== "number" || !Number.isSafeInteger(ticket))
    throw new Refusal("it waits under no number");
  if (!Array.isArray(wants) || wants.length === 0) throw new Refusal("it waits for nothing");
  if (wants.length > limits.policyWantsMax)
    throw new Refusal(`it asks for ${wants.length} things at once, more than ${limits.policyWantsMax}`);
  return { do: "wait", ticket, wants: wants.map(wantedOf) };
}

function wantedOf(value: unknown): Wanted {
  const want = recordOf(value, "call");
  if (want["counter"] !== undefined) return takeOf(want);
  if (want["settle"] !== undefined) return settleOf(want);
  return want["algorithm"] === undefined ? callOf(want) : claimOf(want);
}

/** What only heddle does in the name of a client: a tunnel, and what is meant for each hop. */
const otherMethods: ReadonlySet<string> = new Set(["CONNECT", "TRACE"]);

function callOf(want: Readonly<Record<string, unknown>>): WantedCall {
  const method = textOf(want["method"], "method");
  if (!/^[A-Z]{1,20}$/.test(method) || otherMethods.has(method))
    throw new Refusal(`${shown(method)} is no method that it may call a service with`);
  const target = targetOf(want["path"]);
  if (target === null) throw new Refusal("it calls a service without a path");
  const headers = pairsOf(want["headers"]);
  const body = textOf(want["body"], "body");
  if (body.length > limits.policyCallBodyBytesMax)
    throw new Refusal(`the body that it sends has more than ${limits.policyCallBodyBytesMax} bytes`);
  return { do: "call", service: nameOf(want["service"], "service"), method, target, headers, body };
}

function takeOf(want: Readonly<Record<string, unknown>>): Wanted {
  const number = (name: string, most: number): number => {
    const value = want[name];
    if (typeof value === "number" && value > 0 && value <= most) return value;
    throw new Refusal(`the ${name} of a counter is none: ${String(value).slice(0, 40)}`);
  };
  const limit = number("limit", 1e12);
  const perMs = number("perMs", 1e9);
  if (!Number.isInteger(limit) || !Number.isInteger(perMs))
    throw new Refusal("a counter that is shared has a whole number as its limit, and whole milliseconds");
  const key = textOf(want["counter"], "key of a counter").slice(0, limits.policyFieldLengthMax);
  const how = want["how"] ?? "take";
  if (how !== "take" && how !== "add" && how !== "reserve")
    throw new Refusal(`${shown(how)} is nothing that a counter does`);
  return { do: "take", how, key, amount: number("amount", 1e12), limit, perMs };
}

function settleOf({ settle, used }: Readonly<Record<string, unknown>>): Wanted {
  const id = textOf(settle, "reservation").slice(0, limits.policyFieldLengthMax);
  if (typeof used !== "number" || !(used >= 0 && used <= 1e12))
    throw new Refusal(`what was used of a reservation is none: ${String(used).slice(0, 40)}`);
  return { do: "settle", id, used };
}

function claimOf(want: Readonly<Record<string, unknown>>): Wanted {
  const algorithm = want["algorithm"];
  if (!isAlgorithm(algorithm))
    throw new Refusal(`${shown(algorithm)} is no algorithm of signatures that is known`);
  const signature = textOf(want["signature"], "signature");
  const data = textOf(want["data"], "signed text");
  return { do: "verify", algorithm, key: recordOf(want["key"], "key"), signature, data };
}
