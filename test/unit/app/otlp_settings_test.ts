/** Where traces go and which: the document of the mesh, and over it the environment, by the names of OpenTelemetry's specification. */
import { describe, expect, test } from "bun:test";
import { otlpSettings, type OtlpSettings, type ReceiverSettings } from "../../../src/app/otlp_settings.ts";
import { limits } from "../../../src/model/limits.ts";
import type { TraceSettings } from "../../../src/model/telemetry.ts";

function settings(env: Record<string, string>, traces: Partial<TraceSettings> = {}): OtlpSettings {
  return otlpSettings({ traces }, env, { "service.name": "heddle-proxy" });
}

/** Of traces. */
function receiver(env: Record<string, string>, traces: Partial<TraceSettings> = {}): ReceiverSettings {
  return settings(env, traces).receivers.traces;
}

describe("the receiver", () => {
  test("is that of the document, to whose address the signal's path is added", () => {
    expect(receiver({}).url).toBeNull();
    expect(receiver({}, { endpoint: "http://collector:4318" }).url?.href).toBe(
      "http://collector:4318/v1/traces",
    );
    expect(receiver({}, { endpoint: "http://collector/otlp/" }).url?.href).toBe(
      "http://collector/otlp/v1/traces",
    );
  });

  test("is that of the environment before it, as it is where it stands for traces alone", () => {
    const document = { endpoint: "http://collector:4318" };
    const root = { OTEL_EXPORTER_OTLP_ENDPOINT: "https://other.example:4318" };
    expect(receiver(root, document).url?.href).toBe("https://other.example:4318/v1/traces");
    const own = { ...root, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://third/in" };
    expect(receiver(own, document).url?.href).toBe("http://third/in");
  });

  test("is none where OpenTelemetry is turned off", () => {
    const document = { endpoint: "http://collector:4318" };
    for (const env of [{ OTEL_SDK_DISABLED: "TRUE" }, { OTEL_TRACES_EXPORTER: "none" }])
      expect(settings(env, document)).toMatchObject({
        sampling: { endpoint: null },
        receivers: { traces: { url: null } },
      });
  });

  test("is asked in the encoding, with the headers, the files and within the time that are said", () => {
    const found = receiver({
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_EXPORTER_OTLP_COMPRESSION: "none",
      OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20s3cret, X-Tenant=shop",
      OTEL_EXPORTER_OTLP_CERTIFICATE: "/etc/roots.pem",
      OTEL_EXPORTER_OTLP_TIMEOUT: "2500",
      OTEL_BSP_SCHEDULE_DELAY: "100",
    });
    expect(found).toMatchObject({
      encoding: "http/json",
      gzip: false,
      headers: ["authorization", "Bearer s3cret", "x-tenant", "shop"],
      certificate: "/etc/roots.pem",
      timeoutMs: 2_500,
      delayMs: 100,
    });
    expect(receiver({})).toMatchObject({
      encoding: "http/protobuf",
      gzip: true,
      timeoutMs: limits.exportTimeoutMs,
    });
  });

  test("on the same machine is sent nothing compressed, unless that is asked for", () => {
    const compressed = (endpoint: string, env: Record<string, string> = {}): boolean =>
      receiver(env, { endpoint }).gzip;
    for (const host of ["127.0.0.1", "127.78.2.1", "localhost", "[::1]"])
      expect(compressed(`http://${host}:4318`)).toBe(false);
    for (const host of ["collector", "10.0.0.1", "127.example", "[::2]"])
      expect(compressed(`http://${host}:4318`)).toBe(true);
    expect(compressed("http://localhost:4318", { OTEL_EXPORTER_OTLP_COMPRESSION: "gzip" })).toBe(true);
  });
});

describe("what is sampled", () => {
  test("is the document's share, or what the sampler of the environment says", () => {
    const percent = (env: Record<string, string>): number =>
      settings(env, { samplePercent: 5 }).sampling.samplePercent;
    const sampler = (name: string, share?: string) =>
      percent({
        OTEL_TRACES_SAMPLER: name,
        ...(share === undefined ? {} : { OTEL_TRACES_SAMPLER_ARG: share }),
      });
    expect([percent({}), sampler("always_on"), sampler("parentbased_always_off")]).toEqual([5, 100, 0]);
    expect([sampler("parentbased_traceidratio", "0.25"), sampler("traceidratio")]).toEqual([25, 100]);
    expect(sampler("traceidratio", "2")).toBe(5);
  });
});

test("who sends is told by what is known, by OTEL_RESOURCE_ATTRIBUTES and by OTEL_SERVICE_NAME, in this order", () => {
  const env = { OTEL_RESOURCE_ATTRIBUTES: "zone=eu%2Dwest,service.name=one", OTEL_SERVICE_NAME: "two" };
  expect(receiver(env).resource).toEqual({ "service.name": "two", zone: "eu-west" });
});

test("what is not understood is told with what was expected, and the rest counts", () => {
  const found = settings({
    OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4317",
    OTEL_EXPORTER_OTLP_PROTOCOL: "grpc",
    OTEL_TRACES_SAMPLER: "jaeger_remote",
    OTEL_BSP_MAX_QUEUE_SIZE: "-1",
    OTEL_RESOURCE_ATTRIBUTES: "nonsense,a=1",
    OTEL_PROPAGATORS: "tracecontext,b3multi",
  });
  expect(found.warnings.toSorted()).toEqual([
    'OTEL_BSP_MAX_QUEUE_SIZE="-1" is not used: expected a whole number above 0',
    'OTEL_EXPORTER_OTLP_ENDPOINT="collector:4317" is not used: expected an address such as http://collector:4318',
    'OTEL_EXPORTER_OTLP_PROTOCOL="grpc" is not used: expected http/protobuf or http/json',
    'OTEL_RESOURCE_ATTRIBUTES="nonsense" is not used: expected name=value, with commas between several',
    'OTEL_TRACES_SAMPLER="jaeger_remote" is not used: expected always_on, always_off or traceidratio, with parentbased_ before it or not',
  ]);
  expect(found).toMatchObject({
    receivers: { logs: { resource: { a: "1" } } },
    sampling: { propagate: ["b3"] },
  });
});

describe("metrics and the access log", () => {
  test("go where the document says of each, and where the environment names one receiver all go there", () => {
    const document = { metrics: { endpoint: "http://m:4318" }, logs: { endpoint: "http://l:4318" } };
    const urls = (env: Record<string, string>): (string | undefined)[] => {
      const { traces, metrics, logs } = otlpSettings(document, env, {}).receivers;
      return [traces, metrics, logs].map(({ url }) => url?.href);
    };
    expect(urls({})).toEqual([undefined, "http://m:4318/v1/metrics", "http://l:4318/v1/logs"]);
    expect(urls({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://all:4318" })).toEqual([
      "http://all:4318/v1/traces",
      "http://all:4318/v1/metrics",
      "http://all:4318/v1/logs",
    ]);
    expect(
      urls({ OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: "http://own/in", OTEL_LOGS_EXPORTER: "none" }),
    ).toEqual([undefined, "http://own/in", undefined]);
  });

  test("have an encoding, headers and queues of their own", () => {
    const { receivers, metricsEveryMs } = otlpSettings(
      { metrics: { endpoint: "http://m:4318", intervalMs: 30_000 } },
      {
        OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
        OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: "http/protobuf",
        OTEL_EXPORTER_OTLP_LOGS_HEADERS: "x-tenant=shop",
        OTEL_BLRP_MAX_QUEUE_SIZE: "10",
      },
      {},
    );
    expect(receivers.metrics).toMatchObject({ encoding: "http/protobuf", headers: [], batchMax: 1 });
    expect(receivers.logs).toMatchObject({
      encoding: "http/json",
      headers: ["x-tenant", "shop"],
      queueMax: 10,
    });
    expect(metricsEveryMs).toBe(30_000);
  });

  test("are sent as often as the environment says, and not faster than the least interval", () => {
    const every = (interval: string): number =>
      otlpSettings({}, { OTEL_METRIC_EXPORT_INTERVAL: interval }, {}).metricsEveryMs;
    expect([every("5000"), every("1"), every("often")]).toEqual([
      5_000,
      limits.exportMetricsEveryMinMs,
      limits.exportMetricsEveryMs,
    ]);
  });

  test("what cannot be used is told once, not for each of them", () => {
    expect(otlpSettings({}, { OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" }, {}).warnings).toEqual([
      'OTEL_EXPORTER_OTLP_PROTOCOL="grpc" is not used: expected http/protobuf or http/json',
    ]);
  });
});
