/** `retries` and `retryBudget` of a service or of the mesh. */
import * as v from "valibot";
import { formatDuration } from "../../base/duration.ts";
import { grpcCodeNames } from "../../model/grpc_code.ts";
import { limits } from "../../model/limits.ts";
import { retryConditions } from "../../model/traffic.ts";
import { duration, flag, list, object, said } from "../fields.ts";
import { atLeast, inMs, percent, wholeNumber, type TrafficPart } from "./traffic_part.ts";

/** Of attempts beyond the first. */
export const furtherAttempts = wholeNumber(0, limits.retriesMax);
/** Statuses that are a reason; each once. */
export const retryCodes = distinct(list(wholeNumber(400, 599), limits.retryCodesMax));

const grpcFailures = grpcCodeNames.slice(1);

const schema = object({
  attempts: v.optional(said(furtherAttempts, "Attempts beyond the first; 0: none (default: 1)")),
  on: v.optional(
    said(
      distinct(list(v.picklist(retryConditions, `one of ${retryConditions.join(", ")}`), 16)),
      "Failures after which a request is sent again; gateway-error is 502, 503 and 504 (default: connect-failure, refused-stream, reset and timeout)",
    ),
  ),
  codes: v.optional(said(retryCodes, "HTTP statuses beside those, from 400 to 599 (default: none)")),
  grpc: v.optional(
    said(
      distinct(list(v.picklist(grpcFailures, `one of ${grpcFailures.join(", ")}`), grpcFailures.length)),
      "Statuses of gRPC, of an answer that is nothing else; calls of gRPC are sent again only where idempotent says so (default: none)",
    ),
  ),
  idempotent: v.optional(
    said(
      flag,
      "Requests with methods such as POST may be sent again, too: the app tells repeats (default: false)",
    ),
  ),
  backoff: v.optional(
    said(
      duration,
      "Longest wait before the first retry, drawn by chance between nothing and this; twice as long each time (default: 25ms)",
    ),
  ),
  backoffMax: v.optional(said(duration, "Longest wait before any retry (default: 250ms)")),
});

export const retries: TrafficPart<"retries", typeof schema> = {
  schema,
  words: "After what failures a request is sent again, and how often; never one that must not happen twice",
  expand: (written) => inMs(written, ["backoff", "backoffMax"]),
  check({ backoffMs, backoffMaxMs }, written, report) {
    if (backoffMs <= backoffMaxMs) return;
    const message = `the first wait, ${formatDuration(backoffMs)}, is longer than the longest (backoffMax), ${formatDuration(backoffMaxMs)}`;
    report(written.backoffMs === undefined ? "backoffMax" : "backoff", message);
  },
};

const { retryBudgetWindowMinMs, retryBudgetWindowMaxMs } = limits;

const budgetSchema = object({
  percent: v.optional(
    said(percent, "Retries for so much of the requests within the interval, beside min (default: 20)"),
  ),
  min: v.optional(
    said(
      wholeNumber(0, limits.retryBudgetFloorMax),
      "Retries a second that are there however few the requests are (default: 10)",
    ),
  ),
  interval: v.optional(
    said(
      v.pipe(
        atLeast("1s", retryBudgetWindowMinMs),
        v.maxValue(retryBudgetWindowMaxMs, "a duration of at most 1h"),
      ),
      "How far back requests count; of one second no more is spent than min and percent of its requests, or of an average one (default: 10s)",
    ),
  ),
});

export const retryBudget: TrafficPart<"retryBudget", typeof budgetSchema> = {
  schema: budgetSchema,
  words: "How many retries, of whatever cause, the calls of one proxy to the service may come to",
  expand: (written) => inMs(written, ["interval"]),
};

function distinct<const Schema extends v.GenericSchema<unknown, unknown[]>>(schema: Schema) {
  return v.pipe(
    schema,
    v.check((values) => new Set(values).size === values.length, "a list that names each once"),
  );
}
