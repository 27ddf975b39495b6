/**
 * What authors of policies import, as `heddle/policy`. A policy is a module whose default export is `definePolicy({…})`:
 *
 * ```ts
 * import { definePolicy, next, routeTo } from "heddle/policy";
 * import * as v from "valibot";
 *
 * export default definePolicy({
 *   api: 1,
 *   name: "night-shift",
 *   version: "1.0.0",
 *   options: v.object({ service: v.string() }),
 *   onError: "open",
 *   onRequest(request, context) {
 *     return request.headers.has("x-night") ? routeTo(context.options.service) : next();
 *   },
 * });
 * ```
 *
 * A policy runs in a realm of its own with the language and nothing else: no files, network, timers, `process` or `fetch`.
 * Time and randomness come from `context` (`Date.now` and `Math.random` give the same values). Decisions are plain data.
 */
import type { GenericSchema, InferOutput } from "valibot";
import type { HeaderList } from "./header_list.ts";
import type { QueryList } from "./query_list.ts";

export type { HeaderList, QueryList };

/** A duration as in documents: `2ms`, `50ms`, `1s`. */
export type Duration = `${number}${"ms" | "s" | "m" | "h"}`;

/** The head of a request. Its body is never seen here. */
export interface PolicyRequest {
  /** As sent: `GET`. */
  readonly method: string;
  /** Host that is meant, lower case, with the port if one was sent: `orders.mesh`. */
  readonly host: string;
  /** Normalised, without the query: `/v1/items`. */
  readonly path: string;
  readonly query: QueryList;
  readonly headers: HeaderList;
}

/** What a hook is given besides the request. */
export interface PolicyContext<Options> {
  /** As the schema returned them: defaults filled in, transformed. */
  readonly options: Options;
  /** The service that was called: `orders.default`. */
  readonly service: string;
  /** Verified SPIFFE ID of the caller; null when there is none. */
  readonly source: string | null;
  readonly requestId: string;
  /** Milliseconds since 1970. Stands still while a hook runs. */
  now(): number;
  /** Uniform in [0, 1). The sequence depends on the request alone, so that a replay decides the same. */
  random(): number;
  /** A number of 32 bits that spreads evenly and is the same on every machine: for sticky choices. */
  hash(text: string): number;
}

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

/** Lets the request go on. */
export function next(extra: Omit<Next, "do"> = {}): Next {
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

/** What `definePolicy` takes. Everything but schema and functions must be written as literals: it is read without being run. */
export interface Policy<Schema extends GenericSchema> {
  /** Version of this interface. */
  readonly api: 1;
  /** As documents say it: lower case, digits and dashes. */
  readonly name: string;
  /** Of the policy, for people: `1.2.0`. What runs is told apart by the hash of the bundle. */
  readonly version: string;
  /** Schema of the settings that a document gives under `with`. */
  readonly options: Schema;
  /**
   * What a failure (a throw, no answer in time, no valid decision) does: `open` lets the request go on, `closed` answers 503. Why
   * it failed, and at which `file:line:col`, is in the logs; the caller learns the name of the policy and the request id.
   */
  readonly onError: "open" | "closed";
  readonly limits?: {
    /** Processor time of one call, 2 ms when not given. A call that takes ten times as long, and 200 ms, is ended. */
    readonly cpu?: Duration;
  };
  /** Called once per request, before an endpoint is chosen. */
  onRequest?(
    request: PolicyRequest,
    context: PolicyContext<InferOutput<Schema>>,
  ): Decision | Promise<Decision>;
}

/** Defines a policy; export its result as default. */
export function definePolicy<Schema extends GenericSchema>(policy: Policy<Schema>): Readonly<Policy<Schema>> {
  return Object.freeze(policy);
}
