/** The OpenTelemetry Collector as receiver of what heddle sends: the real one, built by install_collector.sh. */
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { accepts, startProgram, waitFor, type Program } from "./processes.ts";

const sources = ["go.mod", "go.sum", "main.go"].map((name) =>
  readFileSync(`${import.meta.dir}/collector/${name}`),
);
const version = createHash("sha256").update(Buffer.concat(sources)).digest("hex").slice(0, 12);
const program = join(homedir(), `.cache/heddle-peers/collector-${version}`);
export const hasCollector: boolean = existsSync(program);

export type CollectedAttributes = Readonly<Record<string, string | number | boolean>>;

interface Attributed {
  readonly attributes?: readonly {
    readonly key: string;
    readonly value: {
      readonly stringValue?: string;
      readonly boolValue?: boolean;
      readonly intValue?: string;
      readonly doubleValue?: number;
    };
  }[];
}

/** What tests look at of a span, a line of a log, or a point, which has its metric's `name` and `unit`. */
interface OtlpItem extends Attributed {
  readonly traceId?: string;
  readonly spanId?: string;
  readonly parentSpanId?: string;
  readonly kind?: number;
  readonly severityText?: string;
  readonly body?: { readonly stringValue?: string };
  readonly name?: string;
  readonly unit?: string;
}

interface OtlpMetric {
  readonly name: string;
  readonly unit: string;
  readonly sum?: { readonly dataPoints: readonly OtlpItem[] };
  readonly gauge?: { readonly dataPoints: readonly OtlpItem[] };
  readonly histogram?: { readonly dataPoints: readonly OtlpItem[] };
}

interface OtlpRequest {
  readonly resourceSpans?: readonly {
    readonly resource: Attributed;
    readonly scopeSpans: readonly { readonly spans: readonly OtlpItem[] }[];
  }[];
  readonly resourceMetrics?: readonly {
    readonly resource: Attributed;
    readonly scopeMetrics: readonly { readonly metrics: readonly OtlpMetric[] }[];
  }[];
  readonly resourceLogs?: readonly {
    readonly resource: Attributed;
    readonly scopeLogs: readonly { readonly logRecords: readonly OtlpItem[] }[];
  }[];
}

/** A span, a point of a metric, or a line of a log, and whose it is. */
export interface Collected {
  readonly resource: CollectedAttributes;
  readonly attributes: CollectedAttributes;
  readonly told: OtlpItem;
}

export interface CollectorTls {
  readonly chainPem: string;
  readonly keyPem: string;
  /** Of clients, who must show a certificate. */
  readonly clientRootPem: string;
}

export class Collector {
  readonly #folder = mkdtempSync(`${tmpdir()}/heddle-collector-`);
  #program: Program | null = null;

  /** It listens at `host`: 4318 in clear text, or 4319 for TLS. */
  constructor(
    readonly host: string,
    readonly tls: CollectorTls | null = null,
  ) {}

  get url(): string {
    return this.tls === null ? `http://${this.host}:4318` : `https://${this.host}:4319`;
  }

  async start(): Promise<void> {
    const config = `${this.#folder}/config.yaml`;
    writeFileSync(config, JSON.stringify(this.#config()));
    const command = [program, "--config", `file:${config}`];
    const started = startProgram({ name: "collector", command, log: `${this.#folder}/log` });
    this.#program = started;
    const { port } = new URL(this.url);
    const ready = async (): Promise<true | null> => ((await accepts(this.host, Number(port))) ? true : null);
    await waitFor("the Collector listens", ready, { program: started, everyMs: 50 });
  }

  async stop(): Promise<void> {
    await this.#program?.stop();
    rmSync(this.#folder, { recursive: true });
  }

  spans(): Collected[] {
    return this.#told("traces").flatMap(({ resourceSpans = [] }) =>
      resourceSpans.flatMap(({ resource, scopeSpans }) =>
        scopeSpans.flatMap(({ spans }) => spans.map((span) => collected(resource, span))),
      ),
    );
  }

  records(): Collected[] {
    return this.#told("logs").flatMap(({ resourceLogs = [] }) =>
      resourceLogs.flatMap(({ resource, scopeLogs }) =>
        scopeLogs.flatMap(({ logRecords }) => logRecords.map((record) => collected(resource, record))),
      ),
    );
  }

  /** Points of all metrics. */
  points(): Collected[] {
    const pointsIn = ({ name, unit, sum, gauge, histogram }: OtlpMetric): OtlpItem[] =>
      ((sum ?? gauge ?? histogram)?.dataPoints ?? []).map((point) => ({ ...point, name, unit }));
    return this.#told("metrics").flatMap(({ resourceMetrics = [] }) =>
      resourceMetrics.flatMap(({ resource, scopeMetrics }) =>
        scopeMetrics.flatMap(({ metrics }) =>
          metrics.flatMap(pointsIn).map((point) => collected(resource, point)),
        ),
      ),
    );
  }

  /** Requests that it took, as OTLP in JSON has them. */
  #told(signal: "traces" | "metrics" | "logs"): OtlpRequest[] {
    const lines = this.#program?.output().split("\n") ?? [];
    return lines
      .filter((line) => line.startsWith(`{"${signal}":`) && line.endsWith("}"))
      .map((line) => (JSON.parse(line) as Record<string, OtlpRequest>)[signal] as OtlpRequest);
  }

  #config(): object {
    const pem = (name: string, text: string): string => {
      const path = `${this.#folder}/${name}.pem`;
      writeFileSync(path, text);
      return path;
    };
    const tls =
      this.tls === null
        ? {}
        : {
            tls: {
              cert_file: pem("chain", this.tls.chainPem),
              key_file: pem("key", this.tls.keyPem),
              client_ca_file: pem("clients", this.tls.clientRootPem),
            },
          };
    const endpoint = new URL(this.url).host;
    const pipeline = { receivers: ["otlp"], exporters: ["lines"] };
    return {
      receivers: { otlp: { protocols: { http: { endpoint, ...tls } } } },
      exporters: { lines: {} },
      service: {
        telemetry: { metrics: { level: "none" } },
        pipelines: { traces: pipeline, metrics: pipeline, logs: pipeline },
      },
    };
  }
}

function collected({ attributes }: Attributed, told: OtlpItem): Collected {
  return { resource: plain(attributes), attributes: plain(told.attributes), told };
}

function plain(attributes: Attributed["attributes"] = []): CollectedAttributes {
  return Object.fromEntries(
    attributes.map(({ key, value }) => {
      const { stringValue, intValue, doubleValue, boolValue } = value;
      return [key, stringValue ?? boolValue ?? Number(intValue ?? doubleValue)];
    }),
  );
}
