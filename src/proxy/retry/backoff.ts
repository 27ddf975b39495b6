/**
 * How long to wait before a request is sent again: full jitter under a ceiling that doubles, so that requests that failed
 * together do not return together; and what a server asks for instead.
 */
import type { RetryRules } from "./retry_rules.ts";

/** Milliseconds before the retry with this number (0 is the first). `unit`: uniform in [0, 1). */
export function retryBackoffMs(
  retry: number,
  { backoffMs, backoffMaxMs, backoffMinMs }: Pick<RetryRules, "backoffMs" | "backoffMaxMs" | "backoffMinMs">,
  unit: number,
): number {
  return backoffMinMs + unit * Math.min(backoffMaxMs, backoffMs * 2 ** retry);
}

/** `never`: the server asks not to be tried again. */
export type Pushback = number | "never";

/** Milliseconds that `Retry-After` asks for (RFC 9110 section 10.2.3): seconds, or a date. null when it says neither. */
export function retryAfterMs(value: string, wallMs: number): number | null {
  const text = value.trim();
  if (/^\d+$/.test(text)) return Number(text) * 1_000;
  if (!httpDate.test(text)) return null;
  const atMs = Date.parse(text);
  return Number.isNaN(atMs) ? null : Math.max(0, atMs - wallMs);
}

/** The one form of a date that is generated today (RFC 9110 section 5.6.7). */
const httpDate =
  /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d GMT$/;

/**
 * What `grpc-retry-pushback-ms` asks for (gRFC A6): a signed 32-bit number of milliseconds; one that is negative or no number
 * says not to try again.
 */
export function grpcPushback(value: string): Pushback {
  const text = value.trim();
  const ms = /^\d{1,10}$/.test(text) ? Number(text) : NaN;
  return Number.isNaN(ms) || ms > 2 ** 31 - 1 ? "never" : ms;
}
