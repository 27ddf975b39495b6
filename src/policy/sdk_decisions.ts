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

/** The request goes on: to the next policy, then by its route. */
export interface Next {
  readonly do: "next";
  readonly headers?: HeaderEdit;
  /**
   * Path and query to forward instead: `/v2/items?all`. It is normalised as a client's is, and access rules and the app see the
   * result; one that a client would be refused for (`%00`, a backslash, a malformed or hidden `..`) is a failure of the policy.
   */
  readonly path?: string;
  /**
   * All of the request must be over in so long since it came, at the caller's side. It makes the timeout of its route shorter, never
   * longer; of several policies the shortest counts.
   */
  readonly timeout?: Duration;
  /** Goes on in place of its body, which the policy must have seen (`uses.requestJson`). Numbers keep 53 bits. */
  readonly json?: unknown;
}

/** The request goes to this service. No later policy is asked. */
export interface Route {
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
  readonly timeout?: Duration;
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

/** The answer goes on: to the policy before, then to its caller. */
export interface PassOn {
  readonly do: "next";
  readonly headers?: HeaderEdit;
  /**
   * 200 to 599, in place of the one that it has. Not for gRPC, whose status is in its own fields, nor to or from one that has no body
   * (204, 205, 304). `pass({ status })` writes it.
   */
  readonly status?: number;
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
