/** Time limits that never come into force, and retries that never take place. */
import { formatDuration } from "../../base/duration.ts";
import type { HttpRouteDocument, RouteRule, ServiceDocument } from "../../model/document.ts";
import { wholeGroup, type TrafficTraits } from "../../model/traffic.ts";
import type { Placed, ReportOn } from "../kind.ts";
import type { Path } from "../yaml_file.ts";

/** `traffic`: what is in force for the service of the route. */
export function lintRule(
  { document, source }: Placed<HttpRouteDocument>,
  ruleAt: number,
  service: ServiceDocument | null,
  traffic: TrafficTraits,
  report: ReportOn,
): void {
  const rule = document.rules[ruleAt] as RouteRule;
  const path: Path = ["rules", ruleAt];
  const { requestMs, perTryMs } = timesOf(rule, traffic);
  if (requestMs > 0 && perTryMs > requestMs && !saysBoth(rule)) {
    const own = rule.perTryMs !== undefined;
    const field = own ? "backendRequest" : "request";
    const other = own ? "the whole request, by its Traffic or the Mesh," : "one attempt, by the same,";
    const message = own
      ? `one attempt may take ${formatDuration(perTryMs)}, and ${other} ${formatDuration(requestMs)}`
      : `the whole request may take ${formatDuration(requestMs)}, and one attempt, by its Traffic or the Mesh, ${formatDuration(perTryMs)}`;
    report(source, [...path, "timeouts", field], message, { code: "HED0140" });
  }
  lintRetry(rule, { requestMs, perTryMs }, traffic, (field, message, code) => {
    report(source, [...path, "retry", ...field], message, { code, key: true });
  });
  const { retry, idempotent } = rule;
  if (retry === undefined || retry.attempts === 0) return;
  if (idempotent || wholeGroup("retries", traffic).idempotent) return;
  const calls = service?.protocol === "grpc" ? "calls of gRPC, which are POST," : unsafeText(rule);
  if (calls === null) return;
  const message = `${calls} are not sent again, whatever retry says: they could happen twice`;
  report(source, [...path, "retry"], message, { code: "HED0130", key: true });
}

interface Times {
  readonly requestMs: number;
  readonly perTryMs: number;
}

function timesOf(rule: RouteRule, traffic: TrafficTraits): Times {
  const times = wholeGroup("timeouts", traffic);
  return {
    requestMs: rule.requestUnbounded === true ? 0 : (rule.requestTimeoutMs ?? times.requestMs),
    perTryMs: rule.perTryMs ?? times.perTryMs,
  };
}

/** What does not go together in one rule is an error already. */
function saysBoth({ perTryMs, requestTimeoutMs }: RouteRule): boolean {
  return perTryMs !== undefined && requestTimeoutMs !== null;
}

function lintRetry(
  { retry }: RouteRule,
  { requestMs, perTryMs }: Times,
  traffic: TrafficTraits,
  tell: (field: Path, message: string, code: "HED0141") => void,
): void {
  const attempts = retry?.attempts ?? wholeGroup("retries", traffic).attempts;
  if (retry === undefined || attempts === 0 || requestMs === 0) return;
  const { backoffMs = 0 } = retry;
  const waitMs = backoffMs * attempts;
  if (waitMs >= requestMs) {
    const message = `${attempts} further ${attempts === 1 ? "attempt" : "attempts"} after a wait of ${formatDuration(backoffMs)} each do not fit into a request of ${formatDuration(requestMs)}`;
    tell(["backoff"], message, "HED0141");
  } else if (perTryMs > 0 && perTryMs + backoffMs >= requestMs) {
    const message = `an attempt that takes its whole time, ${formatDuration(perTryMs)}, leaves none for another one: the request has ${formatDuration(requestMs)}`;
    tell([], message, "HED0141");
  }
}

const safeMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"]);

/** null: some of its requests may be sent again. */
function unsafeText({ matches }: RouteRule): string | null {
  const methods = [...new Set(matches.map(({ method }) => method))];
  const unsafe = methods.filter((each): each is string => each !== null && !safeMethods.has(each));
  return unsafe.length === methods.length ? `requests with ${unsafe.join(" and ")}` : null;
}

/** Of a Traffic or a Mesh document: `path` leads to its groups. */
export function lintTraffic(
  own: TrafficTraits,
  inForce: TrafficTraits,
  {
    everywhere,
    tell,
  }: {
    readonly everywhere: boolean;
    readonly tell: (field: Path, message: string, code: "HED0130" | "HED0131" | "HED0140") => void;
  },
): void {
  const { connectMs, requestMs } = wholeGroup("timeouts", inForce);
  const { timeouts, retries } = own;
  const saysEither = timeouts?.connectMs !== undefined || timeouts?.requestMs !== undefined;
  if (saysEither && requestMs > 0 && connectMs > requestMs) {
    const field = timeouts?.connectMs === undefined ? "request" : "connect";
    const message = `connecting may take ${formatDuration(connectMs)}, and the whole request ${formatDuration(requestMs)}`;
    tell(["timeouts", field], message, "HED0140");
  }
  if (everywhere && retries?.idempotent === true)
    tell(["retries", "idempotent"], "this is about every service of the mesh", "HED0131");
  const { idempotent } = wholeGroup("retries", inForce);
  if (retries?.grpc !== undefined && retries.grpc.length > 0 && !idempotent)
    tell(
      ["retries", "grpc"],
      "calls of gRPC, which are POST, are not sent again without idempotent",
      "HED0130",
    );
}
