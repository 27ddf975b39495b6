/** How an instance is probed: said by its service, or by the machine that runs it. */
import * as v from "valibot";
import { limits } from "../../model/limits.ts";
import type { HealthCheck } from "../../model/service_traits.ts";
import { duration, object, said } from "../fields.ts";

const target = v.pipe(
  v.string("a path such as /healthz"),
  v.regex(/^\/[!-~]{0,1023}$/, "a path such as /healthz"),
);
const pause = v.pipe(duration, v.minValue(100, "a duration of at least 100ms"));

export const health = object({
  http: v.optional(said(target, "Path that answers 2xx while it is well (default: a TCP connect)")),
  every: v.optional(said(pause, "How often (default: 2s)")),
});

export function expandHealth(written: v.InferOutput<typeof health> | undefined): HealthCheck | null {
  if (written === undefined) return null;
  return { http: written.http ?? null, everyMs: written.every ?? limits.probeEveryMs };
}
