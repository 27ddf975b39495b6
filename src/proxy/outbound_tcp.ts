/**
 * Outbound side of an opaque connection: pick an endpoint, connect with an mTLS connection of its own (or in process, for an
 * endpoint of this machine), then join the two. Another endpoint is tried as long as no byte has passed.
 */
import type { Dial, Socket, SocketHandler } from "../../runtime/contract.ts";
import { tcpAlpn } from "../identity/tls_options.ts";
import { limits } from "../model/limits.ts";
import type { Outcome } from "../model/outcome.ts";
import { CallRecord } from "./call_record.ts";
import { InboundTcp, type TcpTaker } from "./inbound_tcp.ts";
import type { Caller } from "./inbound.ts";
import type { LiveDestination, LiveEndpoint } from "./live_service.ts";
import { outcomes } from "./outcomes.ts";
import { peerText, type OutboundSource } from "./outbound_source.ts";
import { Pipe } from "./pipe.ts";
import { dialOutcome } from "./upstream/dial_outcome.ts";
import { brokenPipe, WaitingSocket } from "./waiting_socket.ts";

/** `destination` is what the listener leads to. Returns the handler of the accepted socket. */
export function serveOutboundTcp(
  socket: Socket,
  source: OutboundSource,
  destination: LiveDestination,
): SocketHandler {
  const connection = new OutboundTcp(socket, source, destination);
  connection.begin();
  return connection.waiting;
}

class OutboundTcp implements TcpTaker {
  readonly waiting: WaitingSocket;
  readonly #record: CallRecord;
  #endpoint: LiveEndpoint | null = null;
  #tried: readonly LiveEndpoint[] = [];
  #attemptMs = 0;
  #inbound: InboundTcp | null = null;
  #dial: Dial | null = null;
  #admitted = false;

  constructor(
    readonly socket: Socket,
    readonly source: OutboundSource,
    readonly destination: LiveDestination,
  ) {
    this.waiting = new WaitingSocket(socket);
    this.waiting.left = (outcome) => this.#left(outcome);
    const record = new CallRecord("outbound", "tcp", source.parts.shard.clock.now());
    record.service = destination.key;
    record.destinationId = destination.destination.spiffeId;
    record.source = source.key;
    record.protocol = "tcp";
    this.#record = record;
  }

  begin(): void {
    const { source, destination } = this;
    const { state } = source.parts;
    const caller = state === null ? null : source.callerIn(state);
    if (caller === null) return this.#giveUp(outcomes.noIdentity(source.key));
    this.#record.sourceId = caller.spiffeId;
    if (!destination.admission.enter()) return this.#giveUp(outcomes.tooMany(destination.key));
    this.#admitted = true;
    destination.budget.request(this.#record.startedMs);
    this.#attempt(caller, this.#record.startedMs);
  }

  #attempt(caller: Caller, nowMs: number): void {
    const endpoint = this.destination.whole.pick(this.#tried, nowMs);
    if (endpoint === null) return this.#giveUp(outcomes.noEndpoint(this.destination));
    this.#endpoint = endpoint;
    this.#attemptMs = nowMs;
    endpoint.load.started();
    this.#record.endpoint = endpoint.endpoint.id;
    this.#record.tls = endpoint.here === null;
    if (endpoint.here === null) return this.#dialProxy(endpoint);
    const { service, app } = endpoint.here;
    this.#inbound = new InboundTcp({ parts: this.source.parts, service, app, caller, tls: false });
    this.#inbound.begin(this);
  }

  #dialProxy(endpoint: LiveEndpoint): void {
    const { source, destination } = this;
    const tls = source.tls(destination, tcpAlpn);
    if (typeof tls === "string")
      return this.failed({ flag: "ID", side: "mesh", repeat: "no", status: 0, detail: tls });
    const { address, port } = endpoint.endpoint;
    this.#dial = source.parts.net.connect(
      { host: address, port, timeoutMs: limits.connectMeshMs, tls },
      {
        opened: (far) => this.opened(far),
        failed: (error) => this.failed(dialOutcome(peerText(destination, endpoint), error)),
      },
    );
  }

  opened(far: Socket): SocketHandler {
    const { parts } = this.source;
    const nowMs = parts.shard.clock.now();
    this.#endpoint?.load.answered(nowMs - this.#attemptMs, nowMs);
    this.#note("ok", nowMs);
    this.#record.firstByteMs = nowMs;
    this.waiting.left = null;
    const pipe = new Pipe(this.socket, far, (ended, error) => {
      parts.open.delete(pipe);
      this.#finish(brokenPipe(error), ended.bytesFromNear, ended.bytesFromFar);
    });
    parts.open.add(pipe, far.tls?.peer ?? null);
    return pipe.farHandler;
  }

  failed(outcome: Outcome): void {
    const { parts } = this.source;
    const nowMs = parts.shard.clock.now();
    const endpoint = this.#endpoint as LiveEndpoint;
    this.#note(outcome.flag, nowMs);
    if (outcome.side === "upstream") endpoint.load.failed(nowMs);
    this.#endAttempt();
    this.#inbound = null;
    const caller = parts.state === null ? null : this.source.callerIn(parts.state);
    if (caller !== null && this.#mayRepeat(outcome, endpoint, nowMs)) {
      this.#tried = [...this.#tried, endpoint];
      return this.#attempt(caller, nowMs);
    }
    this.#giveUp(outcome);
  }

  #mayRepeat(outcome: Outcome, endpoint: LiveEndpoint, nowMs: number): boolean {
    const { whole, budget } = this.destination;
    if (outcome.repeat !== "yes" || this.#tried.length + 1 >= limits.attemptsMax) return false;
    return whole.endpoints.some((each) => each !== endpoint) && budget.take(nowMs);
  }

  #note(result: string, nowMs: number): void {
    const cause = this.#tried.length === 0 ? "first" : "connect";
    this.source.parts.recorder.attempt(this.destination.key, cause, result);
    const attempt = { endpoint: this.#record.endpoint, ms: nowMs - this.#attemptMs, result };
    this.#record.attempts = [...this.#record.attempts, attempt];
  }

  #endAttempt(): void {
    this.#endpoint?.load.ended();
    this.#endpoint = null;
  }

  #left(outcome: Outcome): void {
    this.#dial?.cancel();
    this.#inbound?.cancel(outcome);
    this.#inbound = null;
    this.#finish(outcome, 0, 0);
  }

  #giveUp(outcome: Outcome): void {
    this.waiting.refuse();
    this.#finish(outcome, 0, 0);
  }

  #finish(outcome: Outcome | null, bytesIn: number, bytesOut: number): void {
    const { parts } = this.source;
    this.#endAttempt();
    if (this.#admitted) this.destination.admission.leave();
    this.#inbound?.finish(outcome, bytesIn, bytesOut);
    this.#record.outcome = outcome;
    this.#record.bytesIn = bytesIn;
    this.#record.bytesOut = bytesOut;
    parts.recorder.finish(this.#record, parts.shard.clock.now());
  }
}
