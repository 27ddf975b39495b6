/** Traces of a proxy: settings from the snapshot and the environment, spans out to their receiver, other proxies told what is kept. */
import type { Runtime } from "../../runtime/contract.ts";
import type { ControlClient } from "../api/control.ts";
import { controllerPaths } from "../api/messages.ts";
import { build } from "../base/build.ts";
import { problemOf } from "../base/result.ts";
import { limits } from "../model/limits.ts";
import type { Snapshot } from "../model/snapshot.ts";
import type { EvidenceRing } from "../telemetry/evidence_ring.ts";
import { families } from "../telemetry/families.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { ExportQueue } from "../telemetry/otlp/export_queue.ts";
import { encodeSpans, rejectedIn, type OtlpEncoding } from "../telemetry/otlp/spans.ts";
import { spanOf, type Span } from "../telemetry/trace/span.ts";
import { Tracer } from "../proxy/trace/tracer.ts";
import { every } from "./chores.ts";
import { otlpSettings, type OtlpSettings } from "./otlp_settings.ts";
import { OtlpTransport } from "./otlp_transport.ts";
import type { Settings } from "./settings.ts";

const contentTypes: Readonly<Record<OtlpEncoding, string>> = {
  "http/json": "application/json",
  "http/protobuf": "application/x-protobuf",
};

/** Roots of the machine, where its distribution keeps them. */
const rootFiles = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/cert.pem",
];

export interface TracingOptions {
  readonly runtime: Runtime;
  readonly settings: Settings;
  readonly metrics: Metrics;
  readonly control: Pick<ControlClient, "call">;
  readonly evidence: EvidenceRing;
  readonly log: (text: string) => void;
}

export class ProxyTracing {
  readonly tracer: Tracer;
  #queue: ExportQueue<Span> | null = null;
  #transport: OtlpTransport | null = null;
  /** What the receiver in force was made of. */
  #made = "";
  /** One after the other: a receiver may have files to be read first. */
  #applying: Promise<void> = Promise.resolve();
  /** By machine: traces that it is to keep, and does not know yet. */
  readonly #untold = new Map<string, Set<string>>();
  readonly #telling: { close(): void };

  constructor(readonly options: TracingOptions) {
    const { runtime } = options;
    this.tracer = new Tracer({
      random: runtime.random,
      wallMs: () => runtime.clock.wallMs(),
      keep: (span) => this.#queue?.add(span),
      remembered: (traceId) => this.#remembered(traceId),
      tell: (endpoint, traceId) => this.#tell(endpoint, traceId),
    });
    this.#telling = every(runtime.clock, limits.keptTracesTellMs, () => this.#flush());
  }

  /** What the mesh says now. Resolves when it is in force. */
  apply(snapshot: Pick<Snapshot, "telemetry">): Promise<void> {
    this.#applying = this.#applying.then(() => this.#apply(snapshot));
    return this.#applying;
  }

  async #apply({ telemetry = {} }: Pick<Snapshot, "telemetry">): Promise<void> {
    const { runtime, settings, log } = this.options;
    const resource = {
      "service.name": "heddle-proxy",
      "service.instance.id": settings.node,
      "service.version": build().version,
      "host.name": settings.node,
      "heddle.mode": "proxy",
      "heddle.trust_domain": settings.trustDomain,
    };
    const wanted = otlpSettings(telemetry, runtime.process.env, resource);
    const made = JSON.stringify(wanted);
    if (made === this.#made) return;
    this.#made = made;
    for (const warning of wanted.warnings) log(warning);
    const before = [this.#queue, this.#transport] as const;
    this.#queue = null;
    try {
      await this.#open(wanted);
      this.tracer.settings = wanted.traces;
    } catch (error) {
      log(`traces cannot be sent: ${problemOf(error)}`);
      this.tracer.settings = { ...wanted.traces, endpoint: null };
    }
    void before[0]?.close(limits.exportCloseMs).then(() => before[1]?.close());
  }

  /** Another proxy keeps these. */
  keep(traceIds: readonly string[]): void {
    for (const traceId of traceIds) this.tracer.keepTrace(traceId);
  }

  #remembered(traceId: string): Span[] {
    const { clock } = this.options.runtime;
    const startMs = clock.wallMs() - clock.now();
    return this.options.evidence.findTrace(traceId).flatMap((each) => {
      const { trace, startedMs, durationMs } = each;
      return trace === null || trace.sampled
        ? []
        : [spanOf(each, trace, startMs + startedMs + (durationMs ?? 0))];
    });
  }

  async close(): Promise<void> {
    this.#telling.close();
    await this.#queue?.close(limits.exportCloseMs);
    this.#transport?.close();
  }

  async #open(wanted: OtlpSettings): Promise<void> {
    const { runtime, metrics, log } = this.options;
    const { url, encoding, resource } = wanted;
    this.#transport = null;
    if (url === null) return;
    const pem = await this.#pemOf(wanted);
    const contentType = contentTypes[encoding];
    const transport = new OtlpTransport(runtime, { ...wanted, ...pem, url, contentType });
    const [sent, dropped] = [metrics.counter(families.spansSent), metrics.counter(families.spansDropped)];
    this.#transport = transport;
    this.#queue = new ExportQueue<Span>({
      clock: runtime.clock,
      send: transport.send,
      encode: (spans) => encodeSpans(spans, resource, build().version, encoding),
      rejected: (answer) => rejectedIn(answer, encoding),
      contentType,
      counts: {
        sent: (count) => sent().add(count),
        dropped: (reason, count) => dropped(reason).add(count),
      },
      log: (text) => log(`traces for ${url.host} ${text}`),
      queueMax: wanted.queueMax,
      batchMax: wanted.batchMax,
      delayMs: wanted.delayMs,
      unit: () => runtime.random.unit(),
    });
    log(
      `traces go to ${url.origin}${url.pathname}, ${wanted.traces.samplePercent} % of those that begin here`,
    );
  }

  async #pemOf({ url, certificate, clientKey, clientCertificate }: OtlpSettings) {
    if (url?.protocol !== "https:") return { trustPem: [], credential: null };
    const roots = certificate === null ? await this.#machineRoots() : await this.#text(certificate);
    if (roots === null)
      throw new Error("this machine has no trusted roots: name a file in OTEL_EXPORTER_OTLP_CERTIFICATE");
    const credential =
      clientKey === null || clientCertificate === null
        ? null
        : { chainPem: await this.#text(clientCertificate), keyPem: await this.#text(clientKey) };
    return { trustPem: [roots], credential };
  }

  async #machineRoots(): Promise<string | null> {
    for (const file of rootFiles) {
      const bytes = await this.options.runtime.files.read(file);
      if (bytes !== null) return new TextDecoder().decode(bytes);
    }
    return null;
  }

  async #text(path: string): Promise<string> {
    const bytes = await this.options.runtime.files.read(path);
    if (bytes === null) throw new Error(`there is no file ${path}`);
    return new TextDecoder().decode(bytes);
  }

  /** `endpoint`: an instance's id, which begins with its machine. */
  #tell(endpoint: string, traceId: string): void {
    const machine = endpoint.slice(0, endpoint.indexOf("/"));
    if (machine === "" || machine === this.options.settings.node) return;
    const known = this.#untold.get(machine);
    if (known === undefined && this.#untold.size >= limits.keptMachinesMax) return;
    const traces = known ?? new Set<string>();
    if (traces.size < limits.keptTracesToldMax) traces.add(traceId);
    this.#untold.set(machine, traces);
  }

  #flush(): void {
    if (this.#untold.size === 0) return;
    const told = Object.fromEntries([...this.#untold].map(([machine, traces]) => [machine, [...traces]]));
    this.#untold.clear();
    // While the controller is away a trace may lack what its other proxies know.
    this.options.control.call("POST", controllerPaths.kept, told).catch(() => undefined);
  }
}
