/**
 * Where traces go and which: what `kind: Mesh` says, and over it the environment of this process, as OpenTelemetry's specification
 * names it (OTEL_EXPORTER_OTLP_*, OTEL_TRACES_SAMPLER, OTEL_BSP_*, OTEL_RESOURCE_ATTRIBUTES …).
 */
import { limits } from "../model/limits.ts";
import { traceDefaults, type TelemetrySettings, type TraceSettings } from "../model/telemetry.ts";
import type { OtlpEncoding } from "../telemetry/otlp/spans.ts";
import type { Attributes } from "../telemetry/trace/span.ts";

export interface OtlpSettings {
  readonly traces: TraceSettings;
  /** Where spans are posted to; null: nowhere. */
  readonly url: URL | null;
  readonly encoding: OtlpEncoding;
  readonly gzip: boolean;
  /** name, value, … */
  readonly headers: readonly string[];
  readonly timeoutMs: number;
  /** Files of PEM; null: the machine's own roots, no certificate. */
  readonly certificate: string | null;
  readonly clientKey: string | null;
  readonly clientCertificate: string | null;
  readonly resource: Attributes;
  readonly queueMax: number;
  readonly batchMax: number;
  readonly delayMs: number;
  /** What of the environment is not used, and why. */
  readonly warnings: readonly string[];
}

type Environment = Readonly<Record<string, string | undefined>>;

/** `resource`: what is known of this proxy by itself. */
export function otlpSettings(
  { traces = {} }: TelemetrySettings,
  env: Environment,
  resource: Attributes,
): OtlpSettings {
  const reader = new Reader(env);
  const written: TraceSettings = { ...traceDefaults, ...traces };
  const url = reader.disabled ? null : reader.url(written.endpoint);
  return {
    traces: {
      ...written,
      endpoint: url === null ? null : url.href,
      samplePercent: reader.samplePercent(written.samplePercent),
      propagate: reader.propagators(written.propagate),
    },
    url,
    encoding: reader.encoding(),
    gzip: reader.of("COMPRESSION") !== "none",
    headers: reader.headers(),
    timeoutMs:
      reader.count("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT") ??
      limits.exportTimeoutMs,
    certificate: reader.of("CERTIFICATE"),
    clientKey: reader.of("CLIENT_KEY"),
    clientCertificate: reader.of("CLIENT_CERTIFICATE"),
    resource: reader.resource(resource),
    queueMax: reader.count("OTEL_BSP_MAX_QUEUE_SIZE") ?? limits.exportQueueMax,
    batchMax: reader.count("OTEL_BSP_MAX_EXPORT_BATCH_SIZE") ?? limits.exportBatchMax,
    delayMs: reader.count("OTEL_BSP_SCHEDULE_DELAY") ?? limits.exportDelayMs,
    warnings: reader.warnings,
  };
}

class Reader {
  readonly warnings: string[] = [];

  constructor(readonly env: Environment) {}

  /** What stands for traces alone goes before what stands for all signals. null: neither. */
  of(name: string): string | null {
    return this.#value(`OTEL_EXPORTER_OTLP_TRACES_${name}`) ?? this.#value(`OTEL_EXPORTER_OTLP_${name}`);
  }

  get disabled(): boolean {
    return (
      this.#value("OTEL_SDK_DISABLED")?.toLowerCase() === "true" ||
      this.#value("OTEL_TRACES_EXPORTER") === "none"
    );
  }

  url(written: string | null): URL | null {
    const own = this.#value("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
    // Used as it is; what stands for all signals is a root.
    if (own !== null) return this.#parse(own, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
    const root = this.#value("OTEL_EXPORTER_OTLP_ENDPOINT") ?? written;
    return root === null
      ? null
      : this.#parse(`${root.replace(/\/$/, "")}/v1/traces`, "OTEL_EXPORTER_OTLP_ENDPOINT");
  }

  encoding(): OtlpEncoding {
    const said = this.of("PROTOCOL") ?? "http/protobuf";
    if (said === "http/json" || said === "http/protobuf") return said;
    this.#warn("OTEL_EXPORTER_OTLP_PROTOCOL", said, "http/protobuf or http/json");
    return "http/protobuf";
  }

  /** `a=1,b=%20`: as W3C Baggage has it. */
  headers(): string[] {
    return this.#pairs("OTEL_EXPORTER_OTLP_HEADERS", this.of("HEADERS") ?? "").flatMap(([name, value]) =>
      /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(name) && !/[\r\n\0]/.test(value)
        ? [name.toLowerCase(), value]
        : [],
    );
  }

  count(...names: readonly string[]): number | null {
    for (const name of names) {
      const said = this.#value(name);
      if (said === null) continue;
      if (/^[1-9]\d{0,8}$/.test(said)) return Number(said);
      this.#warn(name, said, "a whole number above 0");
    }
    return null;
  }

  samplePercent(written: number): number {
    const sampler = this.#value("OTEL_TRACES_SAMPLER");
    if (sampler === null) return written;
    switch (sampler.replace(/^parentbased_/, "")) {
      case "always_on":
        return 100;
      case "always_off":
        return 0;
      case "traceidratio": {
        const said = this.#value("OTEL_TRACES_SAMPLER_ARG") ?? "1";
        const share = Number(said);
        if (said.trim() !== "" && share >= 0 && share <= 1) return share * 100;
        this.#warn("OTEL_TRACES_SAMPLER_ARG", said, "a share from 0 to 1");
        return written;
      }
      default:
        this.#warn(
          "OTEL_TRACES_SAMPLER",
          sampler,
          "always_on, always_off or traceidratio, with parentbased_ before it or not",
        );
        return written;
    }
  }

  propagators(written: TraceSettings["propagate"]): TraceSettings["propagate"] {
    const said = this.#value("OTEL_PROPAGATORS");
    if (said === null) return written;
    return said.split(",").some((each) => ["b3", "b3multi"].includes(each.trim())) ? ["b3"] : [];
  }

  resource(own: Attributes): Attributes {
    const said = Object.fromEntries(
      this.#pairs("OTEL_RESOURCE_ATTRIBUTES", this.#value("OTEL_RESOURCE_ATTRIBUTES") ?? ""),
    );
    const name = this.#value("OTEL_SERVICE_NAME");
    return { ...own, ...said, ...(name === null ? {} : { "service.name": name }) };
  }

  #pairs(name: string, text: string): [string, string][] {
    const parts = text.split(",").filter((part) => part.trim() !== "");
    return parts.flatMap((part): [string, string][] => {
      const at = part.indexOf("=");
      const value = decoded(part.slice(at + 1).trim());
      if (at > 0 && value !== null) return [[part.slice(0, at).trim(), value]];
      this.#warn(name, part, "name=value, with commas between several");
      return [];
    });
  }

  #parse(text: string, name: string): URL | null {
    if (/^https?:\/\//.test(text) && URL.canParse(text)) return new URL(text);
    this.#warn(name, text, "an address such as http://collector:4318");
    return null;
  }

  #value(name: string): string | null {
    const value = this.env[name]?.trim() ?? "";
    return value === "" ? null : value;
  }

  #warn(name: string, said: string, expected: string): void {
    this.warnings.push(`${name}="${said}" is not used: expected ${expected}`);
  }
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
