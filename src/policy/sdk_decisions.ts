/** What hooks decide, as authors of policies write it: plain data, and the functions that make it. Part of `heddle/policy`. */

import type { Duration } from "./sdk_calls.ts";

/**
 * Changes of header fields. Names and values must be valid in HTTP; fields that frame a message, belong to one hop or
 * carry identity are refused (also spelled with `_` for `-`), and a refused edit is a failure of the policy. So is more than
 * 32 KiB of them, those of earlier policies included.
 */
export interface HeaderEdit {
  readonly set?: Readonly<Record<string, string>>;
  readonly add?: Readonly<Record<string, string>>;
  readonly remove?: readonly string[];
}

/** How often one request is sent, and after what. What is absent is as its route or its service says. */
export interface Retries {
  /** Beyond the first, 10 at most; 0: none. */
  readonly attempts?: number;
  /** HTTP statuses, from 400 to 599, after which it is sent again, in place of those of its route. */
  readonly codes?: readonly number[];
  /** Whatever its method is, it may be sent again: the app tells repeats. */
  readonly idempotent?: boolean;
  /** Of one attempt, to the end of its answer. */
  readonly perTry?: Duration;
}

/**
 * What the mesh does with a request by itself, set by a policy for this one, at the caller's side. Retries and the second of two hedged
 * requests are paid for from the budget of the service (`retryBudget`), whoever asks for them.
 *
 * ```ts
 * import { definePolicy, next } from "heddle/policy";
 * import * as v from "valibot";
 *
 * export default definePolicy({
 *   api: 1,
 *   name: "careful-checkout",
 *   version: "1.0.0",
 *   options: v.strictObject({ twin: v.string() }),
 *   onError: "open",
 *   onRequest(request, context) {
 *     if (request.method === "GET") return next({ hedge: "p95", retries: { attempts: 3, codes: [503] } });
 *     return next({ retries: { attempts: 0 }, mirror: context.options.twin });
 *   },
 * });
 * ```
 */
export interface Sending {
  /**
   * All of the request must be over in so long since it came, at the caller's side. It makes the timeout of its route shorter, never
   * longer; of several policies the shortest counts.
   */
  readonly timeout?: Duration;
  /** Of several policies the last one that says a field of it counts. */
  readonly retries?: Retries;
  /**
   * After such a time without an answer a second instance gets it, too, and the first usable answer counts; `p95`: after that of the
   * service's answers. Only of what may happen twice. The last policy that says it counts.
   */
  readonly hedge?: "off" | "p95" | Duration;
  /**
   * This service gets a copy, as the request leaves, whose answer nobody gets. It must be named in the options, as for `routeTo`; at
   * the server's side it is a failure of the policy. Each policy may name one; one that is not there gets nothing.
   */
  readonly mirror?: string;
}

/** The request goes on: to the next policy, then by its route. */
export interface Next extends Sending {
  readonly do: "next";
  readonly headers?: HeaderEdit;
  /**
   * Path and query to forward instead: `/v2/items?all`. It is normalised as a client's is, and access rules and the app see the
   * result; one that a client would be refused for (`%00`, a backslash, a malformed or hidden `..`) is a failure of the policy.
   */
  readonly path?: string;
  /** Goes on in place of its body, which the policy must have seen (`uses.requestJson`). Numbers keep 53 bits. */
  readonly json?: unknown;
}

/** The request goes to this service. No later policy is asked. */
export interface Route extends Sending {
  readonly do: "route";
  /**
   * `inference`, in the namespace of the service that was called, or `inference.other`. It must be named in the options: as any
   * text under `with` in the document, however deep, but not as a default of the schema. Another one, also the service that was
   * called, is a failure of the policy.
   */
  readonly service: string;
  /** A subset that the Service document names. It need not stand in the options. */
  readonly subset?: string;
  readonly headers?: HeaderEdit;
  /** As of `next`. What `%2F` is, the service that is chosen decides. */
  readonly path?: string;
  /** As of `next`. */
  readonly json?: unknown;
}

/** The request is answered here. No later policy is asked. It is logged whatever the sample is, with the policy and its reason. */
export interface Respond {
  readonly do: "respond";
  /** 200 to 599. From 400 on it is a denial: flag PD in logs and metrics, `x-heddle-error` on the answer. */
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** For logs; not sent. */
  readonly reason: string;
}

export type Decision = Next | Route | Respond;

/**
 * The answer goes on: to the policy before, then to its caller.
 *
 * ```ts
 * import { definePolicy, pass } from "heddle/policy";
 * import * as v from "valibot";
 *
 * export default definePolicy({
 *   api: 1,
 *   name: "half-empty",
 *   version: "1.0.0",
 *   options: v.strictObject({}),
 *   onError: "open",
 *   onResponse({ status, headers }) {
 *     return pass({ failed: status === 200 && headers.get("x-degraded") === "true" });
 *   },
 * });
 * ```
 */
export interface PassOn {
  readonly do: "next";
  readonly headers?: HeaderEdit;
  /**
   * 200 to 599, in place of the one that it has. Not for gRPC, whose status is in its own fields, nor to or from one that has no body
   * (204, 205, 304). `pass({ status })` writes it.
   */
  readonly status?: number;
  /**
   * Whether its instance failed, whatever the status: it counts as a 5xx does for how soon the instance gets no more requests
   * (`circuitBreaking`). At the caller's side; the answer itself goes on, and is not sent again.
   */
  readonly failed?: boolean;
  /** Goes on in place of its body, which the policy must have seen (`uses.responseJson`). Numbers keep 53 bits. */
  readonly json?: unknown;
}

/** What a hook that sees an answer decides. */
export type ResponseDecision = PassOn | Respond;

/** Lets the request go on. */
export function next(extra: Omit<Next, "do"> = {}): Next {
  return { do: "next", ...extra };
}

/** Lets the answer go on. */
export function pass(extra: Omit<PassOn, "do"> = {}): PassOn {
  return { do: "next", ...extra };
}

/** Sends the request to a service, or to a subset of one. */
export function routeTo(service: string, extra: Omit<Route, "do" | "service"> = {}): Route {
  return { do: "route", service, ...extra };
}

/** Answers the request. `reason` goes to the logs. */
export function respond(
  status: number,
  reason: string,
  body?: string,
  headers?: Readonly<Record<string, string>>,
): Respond {
  return {
    do: "respond",
    status,
    reason,
    ...(body === undefined ? {} : { body }),
    ...(headers === undefined ? {} : { headers }),
  };
}
