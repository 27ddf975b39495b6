/** Follows one NDJSON answer of a control API, line by line, and notices when nothing comes any more. */
import { joined } from "../base/bytes.ts";
import type { Clock } from "../../runtime/contract.ts";
import type { ClientStream, ResponseHead, ResponseSink } from "../http/exchange.ts";
import type { Http1Client } from "../http/h1_client.ts";
import { limits } from "../model/limits.ts";
import { noEdits } from "../wire/fields.ts";
import {
  ControlUnreachable,
  type ControlRefusal,
  type ControlStream,
  type StreamHandler,
  type StreamOptions,
} from "./control.ts";
import { jsonEdits, refusalOf, requestOf } from "./control_messages.ts";
import { LineReader } from "./line_reader.ts";
import { linesProtocol } from "./lines_up.ts";

/** What is asked, and of whom. */
interface Asked extends StreamOptions {
  readonly address: string;
  readonly path: string;
  readonly body: unknown;
}

interface FollowerOptions {
  readonly clock: Clock;
  readonly serverName: string;
}

export class Follower implements ControlStream, ResponseSink {
  #connection: Http1Client | null = null;
  #address = "";
  #closed = false;
  /** What the request is sent on. */
  #request: ClientStream | null = null;
  /** The server takes lines. */
  #both = false;
  /** What was sent has left: there is room for more. */
  #hasRoom = true;
  #status = 0;
  /** Of an answer that is a refusal. */
  #refused: Uint8Array = new Uint8Array(0);
  readonly #lines = new LineReader(limits.streamLineBytesMax, (text) => {
    if (!this.#closed) this.handler.line(JSON.parse(text));
  });
  #lastMs = 0;

  constructor(
    readonly options: FollowerOptions,
    readonly handler: StreamHandler,
  ) {}

  begin(connection: Http1Client, { address, path, body, both = false }: Asked): void {
    if (this.#closed) return connection.destroy();
    this.#connection = connection;
    this.#address = address;
    this.#lastMs = this.options.clock.now();
    const bytes = body === undefined ? null : new TextEncoder().encode(JSON.stringify(body));
    const method = bytes === null ? "GET" : "POST";
    const upgrade = both && bytes !== null ? linesProtocol : null;
    this.#request = connection.start(
      requestOf(method, path, this.options.serverName, bytes?.length ?? 0, upgrade),
      bytes === null ? noEdits : jsonEdits,
      this,
    );
    if (bytes !== null) this.#request.write(bytes);
    if (upgrade === null) this.#request.end(null);
    this.#watch();
  }

  send(message: unknown): boolean {
    if (!this.#both || this.#closed || !this.#hasRoom) return false;
    const bytes = new TextEncoder().encode(`${JSON.stringify(message)}\n`);
    if (bytes.length > limits.upLineBytesMax) return false;
    this.#hasRoom = this.#request?.write(bytes) !== false;
    return true;
  }

  close(): void {
    this.#closed = true;
    this.#connection?.destroy();
  }

  ended(error: ControlRefusal | ControlUnreachable | null): void {
    if (this.#closed) return;
    this.#closed = true;
    this.handler.ended(error);
  }

  informational(): void {}

  writable(): void {
    this.#hasRoom = true;
  }

  head({ status, tunnel }: ResponseHead): void {
    this.#both = tunnel;
    this.#status = tunnel ? 200 : status;
    if (!tunnel) this.#request?.end(null);
  }

  data(bytes: Uint8Array, start: number, end: number): void {
    this.#lastMs = this.options.clock.now();
    const chunk = bytes.subarray(start, end);
    if (this.#status >= 300) this.#refused = joined(this.#refused, chunk);
    else if (!this.#lines.take(chunk))
      return this.#tooLong(`a line of the stream has more than ${limits.streamLineBytesMax} bytes`);
    if (this.#refused.length > limits.controlBodyBytesMax)
      this.#tooLong(`the refusal has more than ${limits.controlBodyBytesMax} bytes`);
  }

  #tooLong(problem: string): void {
    this.#connection?.cancel();
    this.ended(this.#lost(problem));
  }

  end(): void {
    const answer = { address: this.#address, status: this.#status, bytes: this.#refused };
    // Of what goes both ways it is one half.
    if (this.#both) this.#connection?.destroy();
    this.ended(answer.status >= 300 ? refusalOf(answer) : null);
  }

  failed(outcome: { readonly detail: string }): void {
    this.ended(this.#lost(outcome.detail));
  }

  #lost(message: string): ControlUnreachable {
    return new ControlUnreachable(this.#address, { kind: "reset", code: "ECONNRESET", message });
  }

  /** Three heartbeats of silence: the peer is gone without saying so. */
  #watch(): void {
    if (this.#closed) return;
    const silentMs = this.options.clock.now() - this.#lastMs;
    const leftMs = limits.streamHeartbeatMs * 3 - silentMs;
    if (leftMs > 0) {
      this.options.clock.after(leftMs, () => this.#watch(), true);
      return;
    }
    this.#connection?.cancel();
    this.ended(this.#lost(`nothing came for ${Math.round(silentMs / 1000)} s`));
  }
}
