/**
 * How long a caller still waits: `grpc-timeout` of gRPC, and `x-request-deadline` of everything. It is a time that is left, not a
 * time of day, so clocks of machines need not agree; each hop sends on what it leaves.
 */
import type { Fields } from "./fields.ts";
import { grpcTimeoutMs, grpcTimeoutText, isGrpc } from "./grpc.ts";
import { HeadFields } from "./head_fields.ts";

const deadlineField = "x-request-deadline";

/** What the fields that were asked about last grant: nearly all requests say nothing, and many come with the same fields. */
class Latest {
  fields: HeadFields | null = null;
  ms: number | null = null;
}

const latest = new Latest();

/** Milliseconds that both fields of a request grant, the smaller one; null where neither says so, or it is malformed. */
export function callerDeadlineMs(fields: Fields): number | null {
  const whole = fields instanceof HeadFields ? fields.wholeInterned : null;
  if (whole === null) return grantedMs(fields);
  if (whole !== latest.fields) {
    latest.fields = whole;
    latest.ms = grantedMs(fields);
  }
  return latest.ms;
}

function grantedMs(fields: Fields): number | null {
  const text = fields.get(deadlineField);
  const said = text === null ? null : requestDeadlineMs(text);
  const grpc = grpcTimeoutMs(fields);
  if (grpc === null || !isGrpc(fields)) return said;
  return said === null ? grpc : Math.min(said, grpc);
}

/**
 * The same for the next hop, as pairs of names and values, when so much is left; null: what came says it already. `grpc`: the request
 * is one of gRPC, which has a field of its own.
 */
export function deadlineFields(came: Fields, leftMs: number, grpc: boolean): string[] | null {
  const pairs: string[] = [];
  const text = came.get(deadlineField);
  if (grpc) {
    const grpcMs = grpcTimeoutMs(came);
    if (grpcMs === null || grpcMs - leftMs >= 1) pairs.push("grpc-timeout", grpcTimeoutText(leftMs));
  }
  const saidMs = text === null ? null : requestDeadlineMs(text);
  const isNeeded = text === null ? !grpc : saidMs === null || saidMs - leftMs >= 1;
  if (isNeeded) pairs.push(deadlineField, requestDeadlineText(leftMs));
  return pairs.length === 0 ? null : pairs;
}

/** Milliseconds that the field grants: a whole number, of milliseconds or with the unit `ms` or `s`; null when malformed. @visibleForTesting */
export function requestDeadlineMs(text: string): number | null {
  const found = /^(\d{1,9})(ms|s)?$/.exec(text.trim());
  if (found === null) return null;
  return Number(found[1]) * (found[2] === "s" ? 1_000 : 1);
}

/** What is left for the next hop. 0 is never sent: what has passed its deadline is not sent at all. @visibleForTesting */
export function requestDeadlineText(leftMs: number): string {
  return `${Math.min(999_999_999, Math.max(1, Math.floor(leftMs)))}ms`;
}
