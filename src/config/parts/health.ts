/** How an instance is probed: said by its service, or by the machine that runs it. */
import * as v from "valibot";
import { limits } from "../../model/limits.ts";
import type { HealthCheck } from "../../model/service_traits.ts";
import { duration, object, said } from "../fields.ts";

const target = v.pipe(
  v.string("a path such as /healthz"),
  v.regex(/^\/[!-~]{0,1023}$/, "a path such as /healthz"),
);
const grpcName = v.pipe(
  v.string("a name such as shop.Orders"),
  v.regex(/^[!-~]{0,100}$/, "a name such as shop.Orders, of at most 100 characters"),
);
const pause = v.pipe(duration, v.minValue(100, "a duration of at least 100ms"));

const fields = object({
  http: v.optional(said(target, "Path that answers 2xx while it is well (default: a TCP connect)")),
  grpc: v.optional(
    said(
      grpcName,
      'Name that its gRPC health service (grpc.health.v1) says SERVING of while it is well; "" asks of the whole server',
    ),
  ),
  every: v.optional(said(pause, "How often (default: 2s)")),
});

export const health = v.pipe(
  fields,
  v.check(({ http, grpc }) => http === undefined || grpc === undefined, "http or grpc, not both"),
);

export function expandHealth(written: v.InferOutput<typeof health> | undefined): HealthCheck | null {
  if (written === undefined) return null;
  const { http = null, grpc, every: everyMs = limits.probeEveryMs } = written;
  return { http, ...(grpc === undefined ? {} : { grpc }), everyMs };
}

/** `--health`: `/healthz`, `grpc`, `grpc:shop.Orders` or `tcp`, as it is written in a document. null: none of them. */
export function healthOfFlag(text: string): { readonly http?: string; readonly grpc?: string } | null {
  if (text.startsWith("/")) return { http: text };
  if (text === "tcp") return {};
  if (text === "grpc") return { grpc: "" };
  return text.startsWith("grpc:") ? { grpc: text.slice(5) } : null;
}
