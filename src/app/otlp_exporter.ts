/** One kind of telemetry on its way to the receiver that is wanted now; what waits for the one before goes there still. */
import type { Runtime } from "../../runtime/contract.ts";
import { build } from "../base/build.ts";
import { problemOf } from "../base/result.ts";
import { limits } from "../model/limits.ts";
import { families } from "../telemetry/families.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { OtlpEncoding, OtlpSender, Rejected, Signal } from "../telemetry/otlp/encoding.ts";
import { ExportQueue } from "../telemetry/otlp/export_queue.ts";
import type { ReceiverSettings } from "./otlp_settings.ts";
import { OtlpTransport } from "./otlp_transport.ts";

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

export interface OtlpEncoder<Item> {
  readonly encode: (items: readonly Item[], sender: OtlpSender) => Uint8Array;
  /** Throws on what is no answer of OTLP. */
  readonly rejected: (answer: Uint8Array, encoding: OtlpEncoding) => Rejected;
}

export interface OtlpExporterOptions<Item> {
  readonly runtime: Pick<Runtime, "net" | "clock" | "process" | "files" | "random">;
  readonly metrics: Metrics;
  readonly log: (text: string) => void;
  readonly signal: Signal;
  /** Loaded when a receiver is named: most machines have none, and its memory would be theirs all the same. */
  readonly encoder: () => Promise<OtlpEncoder<Item>>;
  readonly weigh?: (item: Item) => number;
  /** Told of each item that waits no more; of those that the end of this process or of their receiver overtakes it is not. */
  readonly gone?: (item: Item) => void;
}

export class OtlpExporter<Item> {
  #queue: ExportQueue<Item> | null = null;
  #transport: OtlpTransport | null = null;
  #encoding: OtlpEncoding | null = null;
  /** What the receiver in force was made of. */
  #made = "";
  /** One after the other: a receiver may have files to be read first. */
  #applying: Promise<void> = Promise.resolve();

  constructor(readonly options: OtlpExporterOptions<Item>) {}

  /** Whether anything goes anywhere. */
  get open(): boolean {
    return this.#queue !== null;
  }

  /** Of what goes; null: nothing does. */
  get encoding(): OtlpEncoding | null {
    return this.#encoding;
  }

  add(item: Item): void {
    this.#queue?.add(item);
  }

  /** Resolves when it is in force; then `applied` was called, with whether there is a receiver. */
  apply(wanted: ReceiverSettings, applied: (open: boolean) => void = () => {}): Promise<void> {
    this.#applying = this.#applying.then(async () => {
      await this.#apply(wanted);
      applied(this.open);
    });
    return this.#applying;
  }

  /** Sends what waits, for a moment at most. */
  async close(): Promise<void> {
    await this.#queue?.close(limits.exportCloseMs);
    this.#transport?.close();
  }

  async #apply(wanted: ReceiverSettings): Promise<void> {
    const made = JSON.stringify(wanted);
    if (made === this.#made) return;
    this.#made = made;
    const [queue, transport] = [this.#queue, this.#transport];
    this.#queue = null;
    this.#transport = null;
    this.#encoding = null;
    try {
      if (wanted.url !== null) await this.#open(wanted, wanted.url);
    } catch (error) {
      this.options.log(`${this.options.signal} cannot be sent: ${problemOf(error)}`);
    }
    void queue?.close(limits.exportCloseMs).then(() => transport?.close());
  }

  async #open(wanted: ReceiverSettings, url: URL): Promise<void> {
    const { runtime, metrics, log, signal, weigh, gone } = this.options;
    const { encoding, resource, queueMax, batchMax, delayMs } = wanted;
    const pem = await this.#pemOf(wanted, url);
    const { encode, rejected } = await this.options.encoder();
    const contentType = contentTypes[encoding];
    const transport = new OtlpTransport(runtime, { ...wanted, ...pem, url, contentType });
    const [sent, dropped] = [metrics.counter(families.otlpSent), metrics.counter(families.otlpDropped)];
    const sender = { resource, version: build().version, encoding };
    this.#transport = transport;
    this.#encoding = encoding;
    this.#queue = new ExportQueue<Item>({
      ...{ clock: runtime.clock, send: transport.send, contentType, queueMax, batchMax, delayMs },
      ...(weigh === undefined ? {} : { weigh }),
      ...(gone === undefined ? {} : { gone }),
      encode: (items) => encode(items, sender),
      rejected: (answer) => rejected(answer, encoding),
      counts: {
        sent: (count) => sent(signal).add(count),
        dropped: (reason, count) => dropped(signal, reason).add(count),
      },
      log: (text) => log(`${signal} for ${url.host} ${text}`),
      unit: () => runtime.random.unit(),
    });
    log(`${signal} go to ${url.origin}${url.pathname}`);
  }

  async #pemOf({ certificate, clientKey, clientCertificate }: ReceiverSettings, url: URL) {
    if (url.protocol !== "https:") return { trustPem: [], credential: null };
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
}
