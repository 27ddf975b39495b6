/**
 * What a decision says of how its request is sent: what the mesh has built in, set for one request. The proxy itself retries, hedges and
 * copies, within the budgets of the service; a policy says how often and after what.
 */
import { parseDuration } from "../base/duration.ts";
import { limits } from "../model/limits.ts";
import { nameOf, recordOf, Refusal, shown, textOf } from "./said_values.ts";

/** What is absent is as the route or the service says. */
export interface SaidRetries {
  /** Beyond the first. */
  readonly attempts?: number;
  /** HTTP statuses that are a reason. */
  readonly codes?: readonly number[];
  /** Whatever its method is, it may be sent again. */
  readonly idempotent?: boolean;
  /** Of one attempt. */
  readonly perTryMs?: number;
}

/** Absent: the policy says nothing of it. */
export interface Sending {
  /** How long all of a request may take since it came. */
  readonly timeoutMs?: number;
  readonly retries?: SaidRetries;
  /** `off`, `p95`, or a duration, as in documents. */
  readonly hedge?: string;
}

/** A service that gets a copy, as the policy names it. Absent: none does. */
export interface Copied {
  readonly mirror?: string;
}

const retryFields: ReadonlySet<string> = new Set(["attempts", "codes", "idempotent", "perTry"]);

export function sendingOf({
  timeout,
  retries,
  hedge,
  mirror,
}: Readonly<Record<string, unknown>>): Sending & Copied {
  return {
    ...(timeout === undefined ? {} : { timeoutMs: durationOf(timeout, "timeout") }),
    ...(retries === undefined ? {} : { retries: retriesOf(recordOf(retries, "retries")) }),
    ...(hedge === undefined ? {} : { hedge: hedgeOf(hedge) }),
    ...(mirror === undefined ? {} : { mirror: nameOf(mirror, "service") }),
  };
}

/** Of two policies: the shortest time counts, and else what the later one says. */
export function laterSending<Before extends Sending>(
  before: Before,
  { timeoutMs, retries, hedge }: Sending,
): Before {
  const shorter = timeoutMs !== undefined && timeoutMs < (before.timeoutMs ?? Infinity);
  if (!shorter && retries === undefined && hedge === undefined) return before;
  return {
    ...before,
    ...(shorter ? { timeoutMs } : {}),
    ...(retries === undefined ? {} : { retries: { ...before.retries, ...retries } }),
    ...(hedge === undefined ? {} : { hedge }),
  };
}

function durationOf(value: unknown, what: string): number {
  const ms = typeof value === "string" ? parseDuration(value) : null;
  if (ms === null || ms < 1) throw new Refusal(`its ${what} is ${shown(value)}, not one such as 500ms`);
  return ms;
}

function retriesOf(said: Readonly<Record<string, unknown>>): SaidRetries {
  const { attempts, codes, idempotent, perTry } = said;
  const unknown = Object.keys(said).find((name) => !retryFields.has(name));
  if (unknown !== undefined)
    throw new Refusal(
      `its retries say ${shown(unknown)}, which is not one of ${[...retryFields].join(", ")}`,
    );
  if (idempotent !== undefined && typeof idempotent !== "boolean")
    throw new Refusal(`its retries.idempotent is ${shown(idempotent)}, not true or false`);
  return {
    ...(attempts === undefined
      ? {}
      : { attempts: numberOf(attempts, "retries.attempts", 0, limits.retriesMax) }),
    ...(codes === undefined ? {} : { codes: codesOf(codes) }),
    ...(idempotent === undefined ? {} : { idempotent }),
    ...(perTry === undefined ? {} : { perTryMs: durationOf(perTry, "retries.perTry") }),
  };
}

function codesOf(value: unknown): number[] {
  if (!Array.isArray(value)) throw new Refusal("its retries.codes are no list");
  if (value.length > limits.retryCodesMax)
    throw new Refusal(`its retries.codes are ${value.length}, more than ${limits.retryCodesMax}`);
  return value.map((code) => numberOf(code, "retries.codes", 400, 599));
}

function numberOf(value: unknown, what: string, least: number, most: number): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= least && value <= most) return value;
  throw new Refusal(
    `its ${what} has ${typeof value === "number" ? value : shown(value)}, not a whole number from ${least} to ${most}`,
  );
}

function hedgeOf(value: unknown): string {
  const text = textOf(value, "hedge");
  if (text === "off" || text === "p95" || (parseDuration(text) ?? 0) >= 1) return text;
  throw new Refusal(`its hedge is ${shown(text)}, not off, p95 or a time such as 50ms`);
}
