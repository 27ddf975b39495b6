/**
 * `x-request-deadline`: how long the caller still waits, for requests that are not gRPC (whose `grpc-timeout` says it). It is a
 * time that is left, not a time of day, so clocks of machines need not agree; each hop sends on what it leaves.
 */

/** Milliseconds that the field grants: a whole number, of milliseconds or with the unit `ms` or `s`; null when malformed. */
export function requestDeadlineMs(text: string): number | null {
  const found = /^(\d{1,9})(ms|s)?$/.exec(text.trim());
  if (found === null) return null;
  return Number(found[1]) * (found[2] === "s" ? 1_000 : 1);
}

/** What is left for the next hop. 0 is never sent: what has passed its deadline is not sent at all. */
export function requestDeadlineText(leftMs: number): string {
  return `${Math.min(999_999_999, Math.max(1, Math.floor(leftMs)))}ms`;
}

/** The smallest of what caller and route grant, in milliseconds; Infinity when nobody bounds it. */
export function deadlineOf(
  grpcTimeoutMs: number | null,
  requestDeadline: number | null,
  routeTimeoutMs: number | null,
): number {
  return Math.min(grpcTimeoutMs ?? Infinity, requestDeadline ?? Infinity, routeTimeoutMs ?? Infinity);
}

/** Whether there is no time for another hop. */
export function deadlinePassed(deadlineMs: number, elapsedMs: number): boolean {
  return elapsedMs >= deadlineMs;
}
