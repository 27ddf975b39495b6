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

const command = v.pipe(
  v.array(
    v.pipe(v.string("a word"), v.maxLength(limits.probeWordMax, `at most ${limits.probeWordMax} characters`)),
  ),
  v.minLength(1, "a program and its arguments"),
  v.maxLength(limits.probeWordsMax, `at most ${limits.probeWordsMax} words`),
  v.check(
    ([program = ""]) => program.startsWith("/"),
    "the whole path of the program first, such as /usr/bin/pg_isready",
  ),
);

const ways = {
  http: v.optional(said(target, "Path that answers 2xx while it is well (default: a TCP connect)")),
  grpc: v.optional(
    said(
      grpcName,
      'Name that its gRPC health service (grpc.health.v1) says SERVING of while it is well; "" asks of the whole server',
    ),
  ),
  every: v.optional(said(pause, "How often (default: 2s)")),
};

interface Ways {
  readonly http?: string | undefined;
  readonly grpc?: string | undefined;
  readonly exec?: readonly string[] | undefined;
}

function isOne({ http, grpc, exec }: Ways): boolean {
  return [http, grpc, exec].filter((way) => way !== undefined).length <= 1;
}

/** Of a service: no document of the mesh has programs run on machines. */
export const health = v.pipe(
  object(ways),
  v.check((ways) => isOne(ways), "http or grpc, not both"),
);

/** Of an instance, by the machine that runs it. */
export const machineHealth = v.pipe(
  object({
    ...ways,
    exec: v.optional(
      said(
        command,
        "Program with its arguments that ends with 0 while it is well: it runs as the proxy does, within its sandbox, for 1 s at most",
      ),
    ),
  }),
  v.check((ways) => isOne(ways), "one of http, grpc and exec"),
);

export function expandHealth(
  written: (Ways & { readonly every?: number | undefined }) | undefined,
): HealthCheck | null {
  if (written === undefined) return null;
  const { http = null, grpc, exec, every: everyMs = limits.probeEveryMs } = written;
  return { http, ...(grpc === undefined ? {} : { grpc }), ...(exec === undefined ? {} : { exec }), everyMs };
}

/** `--health`: `/healthz`, `grpc`, `grpc:shop.Orders`, `exec:/usr/bin/pg_isready -q` or `tcp`, as it is written in a document. null: none of them. */
export function healthOfFlag(text: string): Ways | null {
  if (text.startsWith("/")) return { http: text };
  if (text === "tcp") return {};
  if (text === "grpc") return { grpc: "" };
  if (text.startsWith("exec:/")) return { exec: text.slice(5).trim().split(/ +/) };
  return text.startsWith("grpc:") ? { grpc: text.slice(5) } : null;
}
