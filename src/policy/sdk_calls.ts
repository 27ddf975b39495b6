/** What hooks may ask of the world outside, as authors of policies write it. Part of `heddle/policy`. */
import type { HeaderList } from "./header_list.ts";

/** A duration as in documents: `2ms`, `50ms`, `1s`. */
export type Duration = `${number}${"ms" | "s" | "m" | "h"}`;

/** What is sent beside the path. */
export interface ServiceRequest {
  /** `GET` when not given. */
  readonly method?: string;
  /** As of `next`: fields that frame a message, belong to one hop or carry identity are refused. */
  readonly headers?: Readonly<Record<string, string>>;
  /** At most 64 KiB. */
  readonly body?: string;
}

/**
 * What a service answered, all of it.
 *
 * ```ts
 * import { definePolicy, next, respond } from "heddle/policy";
 * import * as v from "valibot";
 *
 * export default definePolicy({
 *   api: 1,
 *   name: "ask-first",
 *   version: "1.0.0",
 *   options: v.strictObject({ service: v.string() }),
 *   onError: "closed",
 *   limits: { wait: "200ms" },
 *   async onRequest(request, context) {
 *     const answer = await context.call(context.options.service, `/may?path=${encodeURIComponent(request.path)}`);
 *     return answer.status === 200 ? next() : respond(403, `answered ${answer.status}`);
 *   },
 * });
 * ```
 */
export interface ServiceAnswer {
  readonly status: number;
  readonly headers: HeaderList;
  /** Its body, read as UTF-8. */
  text(): string;
  /** Its body, read as JSON. Throws a SyntaxError when it is none. */
  json(): unknown;
}

export interface Taken {
  readonly ok: boolean;
  /** Whole units that are left. */
  readonly left: number;
  /** Until as much is there as was asked for; 0 when it was. */
  readonly resetMs: number;
}

/**
 * What is taken before it is used.
 *
 * ```ts
 * import { definePolicy, next, respond } from "heddle/policy";
 * import * as v from "valibot";
 *
 * export default definePolicy({
 *   api: 1,
 *   name: "bytes-in-the-mesh",
 *   version: "1.0.0",
 *   options: v.strictObject({ most: v.number(), usual: v.number() }),
 *   onError: "open",
 *   async onRequest(_request, context) {
 *     const { most, usual } = context.options;
 *     const { ok, id } = await context.shared.reserve(context.source ?? "", usual, most, "1m");
 *     if (!ok) return respond(429, "too many bytes");
 *     context.scratch.set("held", id);
 *     return next();
 *   },
 *   async onEnd({ bytesIn, bytesOut }, context) {
 *     const id = context.scratch.get("held");
 *     if (typeof id === "string") await context.shared.settle(id, bytesIn + bytesOut);
 *   },
 * });
 * ```
 */
export interface Reserved {
  readonly ok: boolean;
  /** For `settle`; "" when nothing was reserved. */
  readonly id: string;
}

/**
 * Counters that all proxies of the mesh share: each has a slice of every key, which the controller deals out by what each wants, so
 * asking costs no way through the network. It takes a second or two until a key that moves to other proxies has its slices there, and
 * one that is new may pass so much at each event loop of a proxy in its first second. Without the controller each goes on with an even share.
 *
 * ```ts
 * import { definePolicy, next, respond } from "heddle/policy";
 * import * as v from "valibot";
 *
 * export default definePolicy({
 *   api: 1,
 *   name: "thousand-in-the-mesh",
 *   version: "1.0.0",
 *   options: v.strictObject({}),
 *   onError: "open",
 *   async onRequest(request, context) {
 *     const { ok } = await context.shared.take(request.headers.get("x-tenant") ?? "", 1, 1000, "1m");
 *     return ok ? next() : respond(429, "too many");
 *   },
 * });
 * ```
 */
export interface SharedCounter {
  /** As of a local counter. `limit` is a whole number. Counts as `call`, but nobody has to wait for anything beyond the proxy. */
  take(key: string, amount: number, limit: number, per: Duration): Promise<Taken>;
  /**
   * Counts what was used, whether there was so much or not: `ok` says whether there was. Where there was not, nothing more is given out
   * until that has filled again, which takes no longer than `per`.
   */
  add(key: string, amount: number, limit: number, per: Duration): Promise<Taken>;
  /**
   * Takes what may be needed; `settle` says later, in a hook of the same exchange, what was. What nobody settles, because its policy failed, counts
   * as used, and fills again as all else does. So many are kept (`policySharedHoldsMax`), none longer than its `per`.
   */
  reserve(key: string, amount: number, limit: number, per: Duration): Promise<Reserved>;
  /**
   * What was used of a reservation: less is given back, more is taken as by `add`. The second time, and after its `per`, it does nothing:
   * what it took has filled again.
   */
  settle(id: string, used: number): Promise<void>;
}

/** A signature, what it stands under, and the key that it is said to be made with. */
export interface SignatureCheck {
  /** As JSON Web Tokens call it (RFC 7518 section 3.1, RFC 8037). */
  readonly algorithm: "HS256" | "RS256" | "RS384" | "RS512" | "PS256" | "ES256" | "ES384" | "EdDSA";
  /** A JSON Web Key (RFC 7517): a public one, or `{ kty: "oct", k }` for `HS256`. */
  readonly key: Readonly<Record<string, unknown>>;
  /** In base64url. */
  readonly signature: string;
  /** What was signed: `header.payload` of a token. */
  readonly data: string;
}
