/** Files for what people run already: Prometheus, Grafana, an OpenTelemetry Collector. */
import { grafanaDashboard } from "./grafana.ts";
import { rulesFile } from "./rules.ts";

export interface TelemetryFile {
  readonly name: string;
  /** What it is for, in few words. */
  readonly words: string;
  readonly text: string;
}

/** `targets`: the address of the controller's page of targets. */
export function telemetryFiles(targets: string): TelemetryFile[] {
  return [
    { name: "prometheus.yml", words: "scrapes the mesh", text: prometheusFile(targets) },
    { name: "heddle-rules.yml", words: "recorded series and alerts", text: rulesFile() },
    { name: "grafana-dashboard.json", words: "to import into Grafana", text: grafanaDashboard() },
    { name: "otel-collector.yaml", words: "takes what proxies send by OTLP", text: collectorFile },
  ];
}

function prometheusFile(targets: string): string {
  return `# Prometheus on the machine of the controller; elsewhere, lead it there by a tunnel.
# Exemplars (traces behind a bucket) need --enable-feature=exemplar-storage.
global:
  scrape_interval: 15s
  evaluation_interval: 15s

rule_files:
  - heddle-rules.yml

scrape_configs:
  - job_name: heddle
    http_sd_configs:
      - url: ${targets}
        refresh_interval: 30s
`;
}

const collectorFile = `# An OpenTelemetry Collector that takes traces, metrics and the access log of a mesh. Tell the mesh of it:
#   kind: Mesh
#   name: mesh
#   telemetry:
#     traces: {endpoint: "http://ADDRESS:4318"}
#     metrics: {endpoint: "http://ADDRESS:4318"}
#     logs: {endpoint: "http://ADDRESS:4318"}
receivers:
  otlp:
    protocols:
      http:
        # An address that the machines of the mesh reach, and nobody else; with tls where others are in between.
        endpoint: 127.0.0.1:4318

processors:
  memory_limiter:
    check_interval: 1s
    limit_percentage: 75
  batch: {}

exporters:
  # In place of this one, whatever you keep telemetry in.
  debug:
    verbosity: basic

service:
  pipelines:
    traces: {receivers: [otlp], processors: [memory_limiter, batch], exporters: [debug]}
    metrics: {receivers: [otlp], processors: [memory_limiter, batch], exporters: [debug]}
    logs: {receivers: [otlp], processors: [memory_limiter, batch], exporters: [debug]}
`;
