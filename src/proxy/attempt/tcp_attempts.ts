/**
 * The attempts of an opaque connection: each opens a stream of the shared connection to its endpoint, dials an mTLS connection of
 * its own, or enters the inbound pipeline where the endpoint is on this machine. No byte passes before one stands.
 */
import { hashText } from "../../base/hash.ts";
import type { Dial } from "../../../runtime/contract.ts";
import type { ClientConnection, OutgoingRequest, ResponseHead } from "../../http/exchange.ts";
import { tcpAlpn } from "../../identity/tls_options.ts";
import type { Outcome } from "../../model/outcome.ts";
import type { FieldEdits } from "../../wire/fields.ts";
import { proxyHeader } from "../../wire/proxy_protocol.ts";
import { outcomes } from "../failure/outcomes.ts";
import { proxyFailure } from "../failure/proxy_failure.ts";
import { clientField, requestIdField } from "../fields/heddle_fields.ts";
import { causeOf } from "../retry/retry_decision.ts";
import type { CallRecord } from "../record/call_record.ts";
import type { Claim } from "../share/claim.ts";
import type { Flow } from "../share/flow.ts";
import { poolTimes } from "../state/bounds.ts";
import type { LiveDestination, LiveEndpoint, Target } from "../state/live_service.ts";
import { peerText, type OutboundSource } from "../state/outbound_source.ts";
import type { PipeEnd } from "../tunnel/pipe.ts";
import { SocketEnd } from "../tunnel/socket_end.ts";
import { StreamEnd, type StreamOpening } from "../tunnel/stream_end.ts";
import { dialOutcome } from "../upstream/dial_outcome.ts";
import type { Pool } from "../upstream/pool.ts";
import type { Taker } from "../upstream/pool_terms.ts";
import { hurried } from "../upstream/pool_times.ts";
import { Attempts } from "./attempts.ts";

/** Takes a connection to the app. Exactly one of the two is called, maybe from inside. */
export interface TcpTaker {
  /** Makes the pipe that `upstream` is an end of. */
  opened(upstream: PipeEnd): void;
  failed(outcome: Outcome): void;
}

/** An opaque connection inside of this process, as whoever started it sees it. */
export interface TcpHere {
  begin(taker: TcpTaker): void;
  /** Its caller left before there was a connection. */
  cancel(outcome: Outcome): void;
  finish(outcome: Outcome | null, bytesIn: number, bytesOut: number): void;
}

/** The connection. Exactly one of the first two is called. */
export interface TcpAttemptsOwner {
  opened(upstream: PipeEnd): void;
  /** No attempt led anywhere. */
  refuse(outcome: Outcome): void;
  /** A connection to an endpoint of this machine. */
  callHere(here: NonNullable<LiveEndpoint["here"]>): TcpHere;
}

export class TcpAttempts extends Attempts implements Taker, StreamOpening, TcpTaker {
  place: Claim<Taker> | null = null;
  #here: TcpHere | null = null;
  #dial: Dial | null = null;
  #pool: Pool | null = null;
  #stream: StreamEnd | null = null;

  constructor(
    source: OutboundSource,
    record: CallRecord,
    readonly owner: TcpAttemptsOwner,
    readonly flow: Flow,
    /** Where the client's connection comes from: `10.0.0.7:51230`; "" when unknown. */
    readonly client: string,
  ) {
    super(source, record);
  }

  /** Only who calls is known of it. */
  override get key(): number | null {
    return this.target?.destination.balanceKey?.caller === true ? hashText(this.source.key) : null;
  }

  /** No byte passes before a connection stands. */
  override get repeatable(): boolean {
    return true;
  }

  protected override get repeated(): boolean {
    return false;
  }

  /** The client left while one was under way. */
  cancel(outcome: Outcome): void {
    this.#dial?.cancel();
    this.#stream?.cancel();
    this.#here?.cancel(outcome);
    this.#here = null;
    this.endAttempt();
  }

  /** The connection is over. */
  close(outcome: Outcome | null, bytesIn: number, bytesOut: number): void {
    this.endAttempt();
    this.#here?.finish(outcome, bytesIn, bytesOut);
    this.#here = null;
  }

  // ------------------------------------------------------------------------------------------ how one is made

  protected make(endpoint: LiveEndpoint, nowMs: number): void {
    const { destination } = this.target as Target;
    if (endpoint.here !== null) {
      this.#here = this.owner.callHere(endpoint.here);
      return this.#here.begin(this);
    }
    if (destination.declared.transport === "own") return this.#dialOwn(destination, endpoint);
    this.#pool = this.source.poolOf(destination, endpoint, "shared");
    this.#pool.acquire(this, nowMs);
  }

  #dialOwn(destination: LiveDestination, endpoint: LiveEndpoint): void {
    const { source } = this;
    const tls = source.tls(destination, endpoint, tcpAlpn);
    if (!tls.ok)
      return this.failed({ flag: "ID", side: "mesh", repeat: "no", status: 503, detail: tls.problem });
    const { address, port } = endpoint.endpoint;
    const { connectMs, handshakeMs } = poolTimes(destination.declared.traffic);
    this.#dial = source.wayTo(endpoint).connect(
      { host: address, port, timeoutMs: connectMs, tls: hurried(tls.value, handshakeMs) },
      {
        opened: (socket) => {
          this.reached();
          const upstream = new SocketEnd(socket, "upstream");
          // The connection has no head: the other proxy learns so who the client is.
          const header = proxyHeader(2, this.client, this.client);
          upstream.take(header, 0, header.length);
          this.opened(upstream);
          return upstream;
        },
        failed: (error) => this.failed(dialOutcome(peerText(destination, endpoint), error)),
      },
    );
  }

  connected(connection: ClientConnection): void {
    this.reached();
    this.#stream = new StreamEnd(connection, this.#head(), this.#fields(), this);
  }

  #head(): OutgoingRequest {
    const { serverName } = (this.target as Target).destination;
    return {
      method: "CONNECT",
      target: "",
      // The SNI of the connection names the service already; the port is the other machine's business.
      authority: `${serverName}:0`,
      fields: null,
      nominated: null,
      contentLength: 0,
      upgrade: "connect",
      expectContinue: false,
    };
  }

  #fields(): FieldEdits {
    const set = [requestIdField, this.record.requestId];
    if (this.client !== "") set.push(clientField, this.client);
    return { remove: [], set, add: [] };
  }

  protected letGo(): void {
    this.#dial = null;
    this.#pool?.leave(this);
    this.#pool = null;
    this.#stream = null;
  }

  // ----------------------------------------------------------------------------------------------- how it went

  answered(head: ResponseHead): void {
    const stream = this.#stream as StreamEnd;
    this.#stream = null;
    if (head.tunnel) return this.opened(stream);
    // A head is good until its stream ends.
    const failure = proxyFailure(head) ?? outcomes.noTunnel(this.record.service, head.status);
    stream.cancel();
    this.failed(failure);
  }

  opened(upstream: PipeEnd): void {
    this.succeeded(null, "success", this.source.parts.shard.clock.now());
    this.owner.opened(upstream);
  }

  unreachable(outcome: Outcome): void {
    this.failed(outcome);
  }

  protected noEndpoint(outcome: Outcome): void {
    this.owner.refuse(outcome);
  }

  /** No byte has passed: whatever broke before the connection stood may happen twice, and all of it can be sent again. */
  failed(outcome: Outcome): void {
    this.#here = null;
    const delayMs = this.granted(outcome, true);
    if (delayMs === null) this.owner.refuse(this.fail(outcome));
    else this.repeat(outcome, causeOf(outcome), delayMs);
  }
}
