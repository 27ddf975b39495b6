/** Inbound side of an opaque connection: access rules, then the app on loopback. The same from another proxy and from this one. */
import type { Dial, Socket, SocketHandler } from "../../runtime/contract.ts";
import { limits } from "../model/limits.ts";
import type { Outcome } from "../model/outcome.ts";
import { CallRecord } from "./call_record.ts";
import { decideAccess } from "./guard/access.ts";
import type { Caller } from "./inbound.ts";
import { chooseApp, type InboundService, type LocalApp } from "./live_service.ts";
import { Pipe } from "./pipe.ts";
import type { ProxyParts } from "./proxy_parts.ts";
import { brokenPipe, WaitingSocket } from "./waiting_socket.ts";
import { dialOutcome } from "./upstream/dial_outcome.ts";

/** Takes the connection to the app. Exactly one of the two is called, maybe from inside. */
export interface TcpTaker {
  opened(socket: Socket): SocketHandler;
  failed(outcome: Outcome): void;
}

export interface InboundTcpOptions {
  readonly parts: ProxyParts;
  readonly service: InboundService;
  readonly app: LocalApp;
  readonly caller: Caller;
  readonly tls: boolean;
}

/** One opaque connection to a local app, with its record. */
export class InboundTcp {
  readonly #record: CallRecord;
  #dial: Dial | null = null;

  constructor(readonly options: InboundTcpOptions) {
    const { parts, service, app, caller, tls } = options;
    const record = new CallRecord("inbound", "tcp", parts.shard.clock.now());
    record.service = service.key;
    record.source = caller.key;
    record.sourceId = caller.spiffeId;
    record.destinationId = service.local.spiffeId;
    record.tls = tls;
    record.protocol = "tcp";
    record.endpoint = app.id;
    this.#record = record;
  }

  begin(taker: TcpTaker): void {
    const { parts, service, app, caller } = this.options;
    const refusal = this.#refusal(service, caller);
    if (refusal !== null) return this.#fail(taker, refusal);
    const { host, port } = app;
    this.#dial = parts.net.connect(
      { host, port, timeoutMs: limits.connectLocalMs },
      {
        opened: (socket) => taker.opened(socket),
        failed: (error) =>
          this.#fail(taker, dialOutcome(`the app of ${service.key} (${host}:${port})`, error)),
      },
    );
  }

  /** The caller left before there was a connection. */
  cancel(outcome: Outcome): void {
    this.#dial?.cancel();
    this.finish(outcome, 0, 0);
  }

  finish(outcome: Outcome | null, bytesIn: number, bytesOut: number): void {
    const { parts } = this.options;
    this.#record.outcome = outcome;
    this.#record.bytesIn = bytesIn;
    this.#record.bytesOut = bytesOut;
    parts.recorder.finish(this.#record, parts.shard.clock.now());
  }

  #refusal(service: InboundService, caller: Caller): Outcome | null {
    if (service.local.protocol !== "tcp") {
      const detail = `${service.key} speaks ${service.local.protocol}, not opaque TCP`;
      return { flag: "DPE", side: "downstream", repeat: "no", status: 0, detail };
    }
    const verdict = decideAccess(service.local.access, caller.spiffeId, "", "");
    this.#record.access = verdict;
    if (verdict.verdict !== "deny") return null;
    const detail = `${caller.key} may not connect to ${service.key}: rule ${verdict.rule}`;
    return { flag: "AD", side: "downstream", repeat: "no", status: 0, detail };
  }

  #fail(taker: TcpTaker, outcome: Outcome): void {
    this.finish(outcome, 0, 0);
    taker.failed(outcome);
  }
}

/** An opaque connection from another proxy, after its handshake. */
export function serveInboundTcp(
  socket: Socket,
  parts: ProxyParts,
  caller: Caller,
  serverName: string,
): SocketHandler {
  const service = parts.state?.inbound.get(serverName);
  const app = service === undefined ? null : chooseApp(service, parts.random);
  const waiting = new WaitingSocket(socket);
  if (service === undefined || app === null) {
    waiting.refuse();
    return waiting;
  }
  const call = new InboundTcp({ parts, service, app, caller, tls: true });
  waiting.left = (outcome) => call.cancel(outcome);
  call.begin({
    opened: (far) => {
      const pipe = new Pipe(socket, far, (ended, error) => {
        parts.open.delete(pipe);
        call.finish(brokenPipe(error), ended.bytesFromNear, ended.bytesFromFar);
      });
      parts.open.add(pipe, socket.tls?.peer ?? null);
      return pipe.farHandler;
    },
    failed: () => waiting.refuse(),
  });
  return waiting;
}
