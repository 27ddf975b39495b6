/** What hooks may ask of the world outside, as authors of policies write it. Part of `heddle/policy`. */
import type { HeaderList } from "./header_list.ts";

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
