/** `fault` of a rule: `{delay: {duration: 2s, percent: 10}, abort: {status: 503, percent: 1}}`. */
import * as v from "valibot";
import { formatDuration } from "../../base/duration.ts";
import { grpcCodeNames } from "../../model/grpc_code.ts";
import { limits } from "../../model/limits.ts";
import type { Fault } from "../../model/route_filters.ts";
import { duration, object, said } from "../fields.ts";
import { percent, shareOf } from "./share.ts";

const statusForm = "a status from 400 to 599";
const codes = grpcCodeNames.filter((name) => name !== "OK");
const share = v.optional(said(percent, "Of how many requests, in a hundred (default: 100)"));
const delay = object({
  duration: said(
    v.pipe(
      duration,
      v.minValue(1, "a duration of at least 1ms"),
      v.maxValue(limits.faultDelayMsMax, `at most ${formatDuration(limits.faultDelayMsMax)}`),
    ),
    "How long requests wait before they go on; their timeouts count meanwhile",
  ),
  percent: share,
});
const abort = object({
  status: v.optional(
    said(
      v.pipe(
        v.number(statusForm),
        v.integer(statusForm),
        v.minValue(400, statusForm),
        v.maxValue(599, statusForm),
      ),
      "Status that they are answered with (default: 503)",
    ),
  ),
  grpc: v.optional(
    said(v.picklist(codes, `one of ${codes.join(", ")}`), "Status of gRPC for callers that speak it"),
  ),
  percent: share,
});
export const faultFilter = v.pipe(
  object({
    delay: v.optional(said(delay, "Some of its requests wait")),
    abort: v.optional(said(abort, "Some of its requests are answered with an error, and reach no service")),
  }),
  v.check(
    ({ delay: waits, abort: fails }) => waits !== undefined || fails !== undefined,
    "delay, abort or both",
  ),
);

export function expandFault({ delay: waits, abort: fails }: v.InferOutput<typeof faultFilter>): Fault {
  return {
    ...(waits === undefined ? {} : { delay: { ms: waits.duration, share: shareOf(waits.percent) } }),
    ...(fails === undefined
      ? {}
      : {
          abort: {
            status: fails.status ?? 503,
            share: shareOf(fails.percent),
            ...(fails.grpc === undefined ? {} : { grpc: grpcCodeNames.indexOf(fails.grpc) }),
          },
        }),
  };
}
