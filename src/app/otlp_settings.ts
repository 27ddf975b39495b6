/**
 * Where telemetry goes and which: what `kind: Mesh` says, and over it the environment of this process, as OpenTelemetry's specification
 * names it (OTEL_EXPORTER_OTLP_*, OTEL_TRACES_SAMPLER, OTEL_BSP_*, OTEL_BLRP_*, OTEL_METRIC_EXPORT_INTERVAL, OTEL_RESOURCE_ATTRIBUTES …).
 */
import { limits } from "../model/limits.ts";
import { traceDefaults, type TelemetrySettings, type TraceSettings } from "../model/telemetry.ts";
import { signals, type OtlpEncoding, type Signal } from "../telemetry/otlp/encoding.ts";
import type { Attributes } from "../telemetry/trace/span.ts";

/** Where one kind of telemetry goes, and how. */
export interface ReceiverSettings {
  /** Where it is posted to; null: nowhere. */
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
}

export interface OtlpSettings {
  /** Which requests are traced. */
  readonly sampling: TraceSettings;
  readonly receivers: Readonly<Record<Signal, ReceiverSettings>>;
  readonly metricsEveryMs: number;
  /** What of the environment is not used, and why. */
  readonly warnings: readonly string[];
}

type Environment = Readonly<Record<string, string | undefined>>;

/** `resource`: what is known of this proxy by itself. */
export function otlpSettings(
  telemetry: TelemetrySettings,
  env: Environment,
  resource: Attributes,
): OtlpSettings {
  const warnings = new Set<string>();
  const shared = new Reader(env, warnings);
  const receivers = Object.fromEntries(
    signals.map((signal) => {
      const reader = new SignalReader(env, warnings, signal);
      return [signal, reader.receiver(telemetry[signal]?.endpoint ?? null, shared.resource(resource))];
    }),
  ) as Record<Signal, ReceiverSettings>;
  const written: TraceSettings = { ...traceDefaults, ...telemetry.traces };
  return {
    sampling: {
      ...written,
      endpoint: receivers.traces.url?.href ?? null,
      samplePercent: shared.samplePercent(written.samplePercent),
      propagate: shared.propagators(written.propagate),
    },
    receivers,
    metricsEveryMs: Math.max(
      limits.exportMetricsEveryMinMs,
      shared.count("OTEL_METRIC_EXPORT_INTERVAL") ??
        telemetry.metrics?.intervalMs ??
        limits.exportMetricsEveryMs,
    ),
    warnings: [...warnings],
  };
}

class Reader {
  constructor(
    readonly env: Environment,
    readonly warnings: Set<string>,
  ) {}

  count(...names: readonly string[]): number | null {
    for (const name of names) {
      const said = this.value(name);
      if (said === null) continue;
      if (/^[1-9]\d{0,8}$/.test(said)) return Number(said);
      this.warn(name, said, "a whole number above 0");
    }
    return null;
  }

  samplePercent(written: number): number {
    const sampler = this.value("OTEL_TRACES_SAMPLER");
    if (sampler === null) return written;
    switch (sampler.replace(/^parentbased_/, "")) {
      case "always_on":
        return 100;
      case "always_off":
        return 0;
      case "traceidratio": {
        const said = this.value("OTEL_TRACES_SAMPLER_ARG") ?? "1";
        const share = Number(said);
        if (said.trim() !== "" && share >= 0 && share <= 1) return share * 100;
        this.warn("OTEL_TRACES_SAMPLER_ARG", said, "a share from 0 to 1");
        return written;
      }
      default:
        this.warn(
          "OTEL_TRACES_SAMPLER",
          sampler,
          "always_on, always_off or traceidratio, with parentbased_ before it or not",
        );
        return written;
    }
  }

  propagators(written: TraceSettings["propagate"]): TraceSettings["propagate"] {
    const said = this.value("OTEL_PROPAGATORS");
    if (said === null) return written;
    return said.split(",").some((each) => ["b3", "b3multi"].includes(each.trim())) ? ["b3"] : [];
  }

  resource(own: Attributes): Attributes {
    const said = Object.fromEntries(
      this.pairs("OTEL_RESOURCE_ATTRIBUTES", this.value("OTEL_RESOURCE_ATTRIBUTES") ?? ""),
    );
    const name = this.value("OTEL_SERVICE_NAME");
    return { ...own, ...said, ...(name === null ? {} : { "service.name": name }) };
  }

  protected pairs(name: string, text: string): [string, string][] {
    const parts = text.split(",").filter((part) => part.trim() !== "");
    return parts.flatMap((part): [string, string][] => {
      const at = part.indexOf("=");
      const value = decoded(part.slice(at + 1).trim());
      if (at > 0 && value !== null) return [[part.slice(0, at).trim(), value]];
      this.warn(name, part, "name=value, with commas between several");
      return [];
    });
  }

  protected value(name: string): string | null {
    const value = this.env[name]?.trim() ?? "";
    return value === "" ? null : value;
  }

  protected warn(name: string, said: string, expected: string): void {
    this.warnings.add(`${name}="${said}" is not used: expected ${expected}`);
  }
}

/** Whether it is on this machine. */
function isHere({ hostname }: URL): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

/** How much waits, and for how long, by kind of telemetry and as the environment names it. */
const queues = {
  traces: { names: "OTEL_BSP", delayMs: limits.exportDelayMs },
  logs: { names: "OTEL_BLRP", delayMs: limits.exportLogDelayMs },
} as const;

/** What is said of one kind of telemetry. */
class SignalReader extends Reader {
  constructor(
    env: Environment,
    warnings: Set<string>,
    readonly signal: Signal,
  ) {
    super(env, warnings);
  }

  receiver(written: string | null, resource: Attributes): ReceiverSettings {
    const prefix = "OTEL_EXPORTER_OTLP";
    const url = this.#disabled ? null : this.#url(written);
    return {
      url,
      encoding: this.#encoding(),
      // Within a machine it costs both sides more than it saves.
      gzip: (this.#of("COMPRESSION") ?? (url !== null && isHere(url) ? "none" : "gzip")) !== "none",
      headers: this.#headers(),
      timeoutMs: this.count(`${prefix}_${this.#name}_TIMEOUT`, `${prefix}_TIMEOUT`) ?? limits.exportTimeoutMs,
      certificate: this.#of("CERTIFICATE"),
      clientKey: this.#of("CLIENT_KEY"),
      clientCertificate: this.#of("CLIENT_CERTIFICATE"),
      resource,
      ...this.#queue(),
    };
  }

  get #name(): string {
    return this.signal.toUpperCase();
  }

  #queue(): Pick<ReceiverSettings, "queueMax" | "batchMax" | "delayMs"> {
    // A reading holds all metrics: it goes by itself, at once.
    if (this.signal === "metrics") return { queueMax: limits.exportReadingsMax, batchMax: 1, delayMs: 0 };
    const { names, delayMs } = queues[this.signal];
    return {
      queueMax: this.count(`${names}_MAX_QUEUE_SIZE`) ?? limits.exportQueueMax,
      batchMax: this.count(`${names}_MAX_EXPORT_BATCH_SIZE`) ?? limits.exportBatchMax,
      delayMs: this.count(`${names}_SCHEDULE_DELAY`) ?? delayMs,
    };
  }

  /** What stands for one kind alone goes before what stands for all of them. null: neither. */
  #of(name: string): string | null {
    const own = this.value(`OTEL_EXPORTER_OTLP_${this.#name}_${name}`);
    return own ?? this.value(`OTEL_EXPORTER_OTLP_${name}`);
  }

  get #disabled(): boolean {
    return (
      this.value("OTEL_SDK_DISABLED")?.toLowerCase() === "true" ||
      this.value(`OTEL_${this.#name}_EXPORTER`) === "none"
    );
  }

  #url(written: string | null): URL | null {
    const name = `OTEL_EXPORTER_OTLP_${this.#name}_ENDPOINT`;
    const own = this.value(name);
    // Used as it is; what stands for all kinds is a root.
    if (own !== null) return this.#parse(own, name);
    const root = this.value("OTEL_EXPORTER_OTLP_ENDPOINT") ?? written;
    const url = root === null ? null : this.#parse(root, "OTEL_EXPORTER_OTLP_ENDPOINT");
    return url === null ? null : new URL(`${url.href.replace(/\/$/, "")}/v1/${this.signal}`);
  }

  #encoding(): OtlpEncoding {
    const said = this.#of("PROTOCOL") ?? "http/protobuf";
    if (said === "http/json" || said === "http/protobuf") return said;
    this.warn("OTEL_EXPORTER_OTLP_PROTOCOL", said, "http/protobuf or http/json");
    return "http/protobuf";
  }

  /** `a=1,b=%20`: as W3C Baggage has it. */
  #headers(): string[] {
    return this.pairs("OTEL_EXPORTER_OTLP_HEADERS", this.#of("HEADERS") ?? "").flatMap(([name, value]) =>
      /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(name) && !/[\r\n\0]/.test(value)
        ? [name.toLowerCase(), value]
        : [],
    );
  }

  #parse(text: string, name: string): URL | null {
    if (/^https?:\/\//.test(text) && URL.canParse(text)) return new URL(text);
    this.warn(name, text, "an address such as http://collector:4318");
    return null;
  }
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
