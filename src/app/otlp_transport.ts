/** Requests to a receiver of OTLP/HTTP: one connection that is kept, in clear text or over TLS, the body compressed. */
import type { Runtime, TlsClientOptions, TlsCredential } from "../../runtime/contract.ts";
import { joined } from "../base/bytes.ts";
import { namedFor } from "../http/certificate_name.ts";
import { Http1Client } from "../http/h1_client.ts";
import type { ResponseHead, ResponseSink } from "../http/exchange.ts";
import { Shard } from "../http/shard.ts";
import { limits } from "../model/limits.ts";
import type { OtlpAnswer } from "../telemetry/otlp/export_queue.ts";

export interface OtlpTarget {
  readonly url: URL;
  readonly contentType: string;
  readonly gzip: boolean;
  /** name, value, …: of every request. */
  readonly headers: readonly string[];
  readonly timeoutMs: number;
  /** Of `https`: roots that its certificate must lead to, and what is shown to it. */
  readonly trustPem: readonly string[];
  readonly credential: TlsCredential | null;
}

export class OtlpTransport {
  #idle: Http1Client | null = null;
  #closed = false;
  readonly #shard: Shard;

  constructor(
    readonly host: Pick<Runtime, "net" | "clock" | "process">,
    readonly target: OtlpTarget,
  ) {
    this.#shard = new Shard(host.clock);
  }

  /** Rejects when there is no answer in time. */
  readonly send = async (body: Uint8Array): Promise<OtlpAnswer> => {
    const sent = this.target.gzip ? await this.host.process.gzip(body) : body;
    const kept = this.#idle;
    this.#idle = null;
    return await this.#exchange(kept ?? (await this.#dial()), sent);
  };

  close(): void {
    this.#closed = true;
    this.#idle?.retire();
  }

  #exchange(connection: Http1Client, body: Uint8Array): Promise<OtlpAnswer> {
    const { url, contentType, headers, timeoutMs } = this.target;
    return new Promise((resolve, reject) => {
      const timer = this.host.clock.after(
        timeoutMs,
        () => {
          connection.cancel();
          reject(new Error(`no answer within ${timeoutMs} ms`));
        },
        true,
      );
      const sink = new AnswerSink((answer) => {
        timer.cancel();
        if (answer instanceof Error) reject(answer);
        else resolve(answer);
      });
      const encoding = this.target.gzip ? ["content-encoding", "gzip"] : [];
      const set = ["content-type", contentType, ...encoding, ...headers];
      const request = {
        method: "POST",
        target: `${url.pathname}${url.search}`,
        authority: url.host,
        fields: null,
        nominated: null,
        contentLength: body.length,
        upgrade: null,
        expectContinue: false,
      };
      const stream = connection.start(request, { remove: [], set, add: [] }, sink);
      stream.write(body);
      stream.end(null);
    });
  }

  #dial(): Promise<Http1Client> {
    const { url, timeoutMs } = this.target;
    const secure = url.protocol === "https:";
    const port = Number(url.port || (secure ? 443 : 80));
    const options = { host: bareHost(url), port, timeoutMs, ...(secure ? { tls: this.#tls() } : {}) };
    return new Promise((resolve, reject) => {
      this.host.net.connect(options, {
        opened: (socket) => {
          const connection: Http1Client = new Http1Client(socket, {
            shard: this.#shard,
            peer: url.host,
            onIdle: (idle) => {
              if (this.#closed || (this.#idle !== null && this.#idle !== idle)) idle.retire();
              else this.#idle = idle;
            },
            onRetired: (gone) => {
              if (this.#idle === gone) this.#idle = null;
            },
          });
          resolve(connection);
          return connection.handler;
        },
        failed: (error) => reject(new Error(`cannot reach ${url.host}: ${error.message}`)),
      });
    });
  }

  #tls(): TlsClientOptions {
    const { url, trustPem, credential } = this.target;
    const host = bareHost(url);
    return {
      ...(credential === null ? {} : { credential }),
      trustPem,
      alpn: ["http/1.1"],
      serverName: host,
      verify: "chain",
      handshakeTimeoutMs: limits.tlsHandshakeMs,
      accept: (session) => namedFor(session, host),
    };
  }
}

/** Of `[::1]` without the brackets. */
function bareHost({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, "");
}

class AnswerSink implements ResponseSink {
  #head: ResponseHead | null = null;
  #body: Uint8Array = new Uint8Array(0);

  constructor(readonly done: (answer: OtlpAnswer | Error) => void) {}

  informational(): void {}
  writable(): void {}

  head(head: ResponseHead): void {
    this.#head = { ...head, fields: head.fields.copy() };
  }

  /** What is longer is no answer of OTLP, and is not read. */
  data(bytes: Uint8Array, start: number, end: number): void {
    if (this.#body.length <= limits.exportAnswerBytesMax)
      this.#body = joined(this.#body, bytes.subarray(start, end));
  }

  end(): void {
    const { status, fields } = this.#head as ResponseHead;
    const seconds = /^\d{1,6}$/.exec(fields.get("retry-after")?.trim() ?? "")?.[0];
    const [contentType = ""] = (fields.get("content-type") ?? "").split(";");
    this.done({
      status,
      retryAfterMs: seconds === undefined ? null : Number(seconds) * 1_000,
      contentType: contentType.trim().toLowerCase(),
      body: this.#body,
    });
  }

  failed(outcome: { readonly detail: string }): void {
    this.done(new Error(outcome.detail));
  }
}
