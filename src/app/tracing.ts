/** Traces of a proxy: which requests, spans out to their receiver, other proxies told what is kept. */
import type { Runtime } from "../../runtime/contract.ts";
import type { ControlClient } from "../api/control.ts";
import { controllerPaths } from "../api/messages.ts";
import { limits } from "../model/limits.ts";
import type { TraceSettings } from "../model/telemetry.ts";
import type { EvidenceRing } from "../telemetry/evidence_ring.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { WaitingSpan } from "../telemetry/otlp/spans.ts";
import { ProtoWriter } from "../telemetry/otlp/proto_writer.ts";
import { SpanBytes } from "../telemetry/otlp/span_blocks.ts";
import { SpanWriter } from "../telemetry/otlp/span_messages.ts";
import { spanOf, type Hop } from "../telemetry/trace/span.ts";
import { WallTimes } from "../telemetry/trace/wall_times.ts";
import type { KeptTraces } from "../proxy/trace/kept_traces.ts";
import { Tracer } from "../proxy/trace/tracer.ts";
import { every } from "./chores.ts";
import { OtlpExporter } from "./otlp_exporter.ts";
import type { ReceiverSettings } from "./otlp_settings.ts";
import type { Settings } from "./settings.ts";

export interface TracingOptions {
  readonly runtime: Pick<Runtime, "net" | "clock" | "process" | "files" | "random">;
  readonly settings: Pick<Settings, "node">;
  readonly metrics: Metrics;
  readonly control: Pick<ControlClient, "call">;
  readonly evidence: EvidenceRing;
  readonly log: (text: string) => void;
  /** What other event loops of this machine keep; they have parts of traces too, and are told as other machines are. null: there are none. */
  readonly siblings: KeptTraces | null;
}

export class ProxyTracing {
  readonly tracer: Tracer;
  readonly #exporter: OtlpExporter<WaitingSpan>;
  /** null: nothing was traced. */
  #writer: SpanWriter | null = null;
  /** By machine: traces that it is to keep, and does not know yet. */
  readonly #untold = new Map<string, Set<string>>();
  readonly #telling: { close(): void };

  readonly #wall: WallTimes;

  constructor(readonly options: TracingOptions) {
    const { runtime, metrics, log } = options;
    this.#wall = new WallTimes(runtime.clock);
    this.#exporter = new OtlpExporter({
      ...{ runtime, metrics, log, signal: "traces" },
      gone: (span) => {
        if (span instanceof SpanBytes) this.#writer?.release(span);
      },
      encoder: async () => {
        const { encodeSpans, rejectedSpans } = await import("../telemetry/otlp/spans.ts");
        // One batch is under way at a time: all of this receiver are written to the same memory.
        const request = new ProtoWriter();
        return {
          encode: (spans, sender) => encodeSpans(spans, sender, request),
          rejected: rejectedSpans,
        };
      },
    });
    this.tracer = new Tracer({
      random: runtime.random,
      shared: options.siblings,
      wallAt: (ms) => this.#wall.at(ms),
      keep: (hop) => this.#keep(hop),
      remembered: (traceId) => this.#remembered(traceId),
      tell: (endpoint, traceId) => this.#tell(endpoint, traceId),
    });
    this.#telling = every(runtime.clock, limits.keptTracesTellMs, () => this.#flush());
  }

  /** Resolves when it is in force. */
  apply(sampling: TraceSettings, receiver: ReceiverSettings): Promise<void> {
    return this.#exporter.apply(receiver, (open) => {
      this.tracer.settings = open ? sampling : { ...sampling, endpoint: null };
    });
  }

  /** Another proxy keeps these. */
  keep(traceIds: readonly string[]): void {
    for (const traceId of traceIds) this.tracer.keepTrace(traceId);
  }

  async close(): Promise<void> {
    this.#telling.close();
    await this.#exporter.close();
  }

  #keep(hop: Hop): void {
    const { encoding } = this.#exporter;
    if (encoding === null) return;
    if (encoding === "http/json") return this.#exporter.add(spanOf(hop));
    this.#writer ??= new SpanWriter();
    this.#exporter.add(this.#writer.write(hop));
  }

  #remembered(traceId: string): Hop[] {
    const { siblings, settings } = this.options;
    if (siblings !== null) this.#tellMachine(settings.node, traceId);
    return this.options.evidence.findTrace(traceId).flatMap((facts) => {
      const { trace, startedMs, durationMs, firstByteMs } = facts;
      const beganMs = this.#wall.at(startedMs);
      return trace === null || trace.sampled
        ? []
        : [{ facts, trace, startMs: beganMs, endMs: beganMs + (durationMs ?? 0), firstByteMs }];
    });
  }

  /** `endpoint`: an instance's id, which begins with its machine. */
  #tell(endpoint: string, traceId: string): void {
    const machine = endpoint.slice(0, endpoint.indexOf("/"));
    if (machine !== "" && machine !== this.options.settings.node) this.#tellMachine(machine, traceId);
  }

  #tellMachine(machine: string, traceId: string): void {
    const known = this.#untold.get(machine);
    if (known === undefined && this.#untold.size >= limits.keptMachinesMax) return;
    const traces = known ?? new Set<string>();
    if (traces.size < limits.keptTracesToldMax) traces.add(traceId);
    this.#untold.set(machine, traces);
  }

  /** Traces that other machines are to keep, by machine. */
  pass(told: Readonly<Record<string, readonly string[]>>): void {
    // While the controller is away a trace may lack what its other proxies know.
    this.options.control.call("POST", controllerPaths.kept, told).catch(() => undefined);
  }

  #flush(): void {
    if (this.#untold.size === 0) return;
    const told = Object.fromEntries([...this.#untold].map(([machine, traces]) => [machine, [...traces]]));
    this.#untold.clear();
    this.pass(told);
  }
}
