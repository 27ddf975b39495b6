/** `telemetry` of the mesh: which requests are told of, and to whom. */
import * as v from "valibot";
import { limits } from "../../model/limits.ts";
import { keepReasons, metricNames, type TelemetrySettings } from "../../model/telemetry.ts";
import { list, object, said } from "../fields.ts";
import { atLeast, inMs, percent } from "./traffic_part.ts";

const endpointForm = "an address such as http://collector:4318 or https://otlp.example:4318";
const endpoint = v.pipe(
  v.string(endpointForm),
  v.maxLength(2_048, endpointForm),
  v.check((text) => isReceiver(text), endpointForm),
);
const receiver = said(
  endpoint,
  "Receiver of OTLP over HTTP; OTEL_EXPORTER_OTLP_ENDPOINT of a proxy goes before it (default: none)",
);
const keepForm = keepReasons.join(", ");

export const telemetry = object({
  accessLog: v.optional(
    said(
      object({
        samplePercent: v.optional(
          said(
            percent,
            "Calls that went well and are logged, the same ones at both proxies of a call; --log-sample of a proxy goes before it (default: 1)",
          ),
        ),
        slow: v.optional(
          said(atLeast("1ms", 1), "What a slow request takes: it is always logged (default: 1s)"),
        ),
      }),
      "Which requests have a line in the access log, beside failures, denials, what was sent again and what changed its protocol, which all have",
    ),
  ),
  traces: v.optional(
    said(
      object({
        endpoint: v.optional(
          said(
            endpoint,
            "Receiver of OTLP over HTTP; OTEL_EXPORTER_OTLP_ENDPOINT of a proxy goes before it (default: none, no trace begins)",
          ),
        ),
        samplePercent: v.optional(
          said(percent, "Traces that are kept of those that begin in the mesh (default: 1)"),
        ),
        keep: v.optional(
          said(
            list(v.picklist(keepReasons, `one of ${keepForm}`), keepReasons.length),
            `Traces that are kept whatever was sampled: ${keepForm} (default: all of them)`,
          ),
        ),
        slow: v.optional(said(atLeast("1ms", 1), "What a slow request takes (default: 1s)")),
        propagate: v.optional(
          said(
            list(v.picklist(["b3"], "b3"), 1),
            "Forms beside traceparent in which requests say their trace (default: none)",
          ),
        ),
      }),
      "A span of each request at each proxy, sent to a receiver of OpenTelemetry",
    ),
  ),
  metrics: v.optional(
    said(
      object({
        compat: v.optional(
          said(
            v.picklist(metricNames, metricNames.join(" or ")),
            "Whose names /metrics of proxies has beside its own, for dashboards that are there: istio or linkerd (default: none)",
          ),
        ),
        endpoint: v.optional(receiver),
        interval: v.optional(
          said(
            atLeast("1s", limits.exportMetricsEveryMinMs),
            "How often they are sent; OTEL_METRIC_EXPORT_INTERVAL of a proxy goes before it (default: 1m)",
          ),
        ),
      }),
      "Metrics: by whose names, and sent to a receiver of OpenTelemetry; they can be fetched from each proxy all the same",
    ),
  ),
  logs: v.optional(
    said(
      object({ endpoint: v.optional(receiver) }),
      "The access log, sent to a receiver of OpenTelemetry; it is written all the same",
    ),
  ),
});

export function expandTelemetry({
  accessLog,
  traces,
  metrics,
  logs,
}: v.InferOutput<typeof telemetry>): TelemetrySettings {
  return {
    ...(accessLog === undefined ? {} : { accessLog: inMs(accessLog, ["slow"]) }),
    ...(traces === undefined ? {} : { traces: inMs(traces, ["slow"]) }),
    ...(metrics === undefined ? {} : { metrics: inMs(metrics, ["interval"]) }),
    ...(logs === undefined ? {} : { logs: inMs(logs, []) }),
  };
}

/** Without a user: a secret does not belong into a document. */
function isReceiver(text: string): boolean {
  if (!/^https?:\/\//.test(text) || !URL.canParse(text)) return false;
  const { hostname, username, password, search, hash } = new URL(text);
  return hostname !== "" && username === "" && password === "" && search === "" && hash === "";
}
