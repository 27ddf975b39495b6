/** What requests and answers say about being sent again. */
import type { Fields } from "../../wire/fields.ts";
import { attemptField, noRetryField } from "../fields/heddle_fields.ts";
import { grpcPushback, retryAfterMs, type Pushback } from "../retry/backoff.ts";

/** Methods that may happen twice (RFC 9110 section 9.2.2). */
export const idempotentMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);

/** It came as a retry already: the layer that made it makes the next one. */
export function isRetry(fields: Fields): boolean {
  const made = fields.get(attemptField);
  return made !== null && made !== "0";
}

/** What an answer that failed asks for. gRPC says it in a field of its own, which counts before that of HTTP. */
export function pauseOf(
  fields: Fields,
  wallMs: number,
): { readonly forbidden: boolean; readonly pushback: Pushback | null } {
  const byGrpc = fields.get("grpc-retry-pushback-ms");
  const after = fields.get("retry-after");
  const pushback =
    byGrpc !== null ? grpcPushback(byGrpc) : after === null ? null : retryAfterMs(after, wallMs);
  return { forbidden: fields.get(noRetryField) !== null, pushback };
}
