/** What documents say of requests, where a service has none: its connections are opaque, so nothing would go by it. */
import type { ServiceDocument } from "../../model/document.ts";
import type { TrafficTraits } from "../../model/traffic.ts";
import type { Report } from "../issue_at.ts";
import type { Path } from "../yaml_file.ts";

/** Tells what of `traffic`, of a document at its top, needs requests, unless the service has some or may have. */
export function checkOpaque(service: ServiceDocument | null, traffic: TrafficTraits, report: Report): void {
  if (service === null || (service.protocol !== "tcp" && service.protocol !== "tls")) return;
  const { name, protocol } = service;
  for (const path of aboutRequests(traffic))
    report(
      path,
      `this is about requests, and heddle sees none of ${name}, which has protocol ${protocol}: leave it out, or declare http, http2 or grpc`,
      { key: typeof path.at(-1) !== "number" },
    );
}

/** As operators write them. */
function aboutRequests(traffic: TrafficTraits): Path[] {
  const { balance, timeouts, retries, hedging, concurrency, priority, rateLimit, sessionPersistence } =
    traffic;
  const { key } = balance ?? {};
  const keyed = Object.keys(key ?? {}).filter((part) => part !== "caller");
  const said = (group: string, value: object | undefined, fields: readonly string[]): Path[] =>
    fields
      .filter((field) => Object.hasOwn(value ?? {}, field) || Object.hasOwn(value ?? {}, `${field}Ms`))
      .map((field) => [group, field]);
  return [
    ...keyed.map((part): Path => ["balance", "key", part]),
    ...said("timeouts", timeouts, ["request", "perTry", "streamIdle"]),
    ...said("retries", retries, ["codes", "grpc", "idempotent"]),
    ...(hedging === undefined || hedging.delay === "off" ? [] : [["hedging"]]),
    ...(concurrency === undefined ? [] : [["concurrency"]]),
    ...(priority === undefined ? [] : [["priority"]]),
    ...(rateLimit?.keys ?? []).map((_, at): Path => ["rateLimit", "keys", at]),
    ...(sessionPersistence === undefined || sessionPersistence.type === "None"
      ? []
      : [["sessionPersistence"]]),
  ];
}
