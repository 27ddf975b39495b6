/** A call that came from another proxy over mTLS: joins its exchange to the inbound pipeline. */
import type { ClientStream, OutgoingRequest, ResponseHead, ServerExchange } from "../../http/exchange.ts";
import type { Outcome } from "../../model/outcome.ts";
import { levelNamed } from "../../model/priority.ts";
import { callerDeadlineMs } from "../../wire/deadline.ts";
import { noEdits, type Fields } from "../../wire/fields.ts";
import type { CallSink } from "../attempt/call_sink.ts";
import { InboundCall } from "../inbound.ts";
import {
  attemptField,
  clientField,
  flowField,
  heddleFields,
  policyField,
  priorityField,
  requestIdField,
  spokeField,
} from "../fields/heddle_fields.ts";
import { answerVia, interimEdits, viaEdits, viaOnly } from "../fields/hops.ts";
import { keepField, keptTexts, tracedEdits } from "../fields/trace_fields.ts";
import { changed } from "../rewrite/arriving.ts";
import { chooseApp, type Caller, type Outside } from "../state/live_service.ts";
import type { ProxyParts } from "../state/proxy_parts.ts";
import { outcomes } from "../failure/outcomes.ts";
import { isRequestId } from "../fields/request_id.ts";
import { RequestBody, type BodyOwner } from "../attempt/request_body.ts";
import { CallRecord } from "../record/call_record.ts";
import { breakOffInside, rescue } from "../failure/rescue.ts";
import type { Flow } from "../share/flow.ts";

/** `serverName` is the service that the caller's TLS connection was opened for. */
export function serveInbound(
  exchange: ServerExchange,
  parts: ProxyParts,
  caller: Caller,
  serverName: string,
  flow: Flow,
): void {
  const requestId = requestIdOf(exchange, parts);
  const service = parts.state?.inbound.get(serverName);
  const app = service === undefined ? null : chooseApp(service, parts.random);
  if (service === undefined || app === null)
    return rescue(exchange, outcomes.notHere(serverName), requestId, true);
  if (service.local.stream) exchange.liftTimeouts();
  if (exchange.request.upgrade !== null) exchange.keepUpgrade(service.local.upgrades ?? []);
  const joined = new InboundExchange(exchange, requestId, parts);
  const { request } = exchange;
  const own = heddleFields(request.fields);
  // Who passes it on tells the layers below that this one makes the next attempt.
  const attempt = own === null ? null : request.fields.get(attemptField);
  const client = own === null ? null : request.fields.get(flowField);
  const record = new CallRecord("inbound", "http", parts.shard.clock.now());
  record.requestId = requestId;
  record.path = request.path;
  record.protocol = request.version;
  record.tls = true;
  record.zone = parts.state?.zone ?? "";
  record.attempt = attempt === null ? 0 : madeBefore(attempt);
  const via = viaEdits(request.version);
  const isOutside = app.outside !== undefined;
  const set = attempt === null || isOutside ? via.set : [requestIdField, requestId, attemptField, attempt];
  const plain = own === null ? via : { remove: own, set, add: via.add };
  record.trace = parts.tracer.begin(request.fields);
  const edits = record.trace === null ? plain : tracedEdits(plain, record.trace, parts.tracer.tellsB3);
  const from = client === null ? flow : flow.part(client);
  const spokeHttp2 = own !== null && request.fields.get(spokeField) === "h2";
  joined.call = new InboundCall(
    parts,
    service,
    app,
    caller,
    from,
    record,
    app.outside === undefined ? request : askedAs(app.outside, request),
    edits,
    spokeHttp2,
    joined,
  );
  if (own !== null) {
    joined.call.priority = levelNamed(request.fields.get(priorityField));
    joined.call.ofPolicy = request.fields.get(policyField) === "1";
    joined.call.client = request.fields.get(clientField) ?? "";
  }
  joined.call.deadlineMs = callerDeadlineMs(request.fields);
  exchange.watch(joined);
  joined.call.begin();
}

/** Behind a gateway it is asked for by its own host, whatever callers said: nobody asks it for another. */
function askedAs({ host }: Outside, request: OutgoingRequest): OutgoingRequest {
  return host === "" ? request : changed(request, { authority: host });
}

const keepTrace: readonly string[] = [keepField, keptTexts.trace];
const keepLine: readonly string[] = [keepField, keptTexts.line];

/** What one proxy tells another. An app that calls on may have written it: anything else than a number is none. */
function madeBefore(attempt: string): number {
  return /^\d{1,2}$/.test(attempt) ? Number(attempt) : 0;
}

class InboundExchange implements CallSink, BodyOwner {
  call: InboundCall | null = null;
  readonly #body: RequestBody;
  #stream: ClientStream | null = null;
  #answered = false;

  constructor(
    readonly exchange: ServerExchange,
    readonly requestId: string,
    readonly parts: ProxyParts,
  ) {
    this.#body = new RequestBody(exchange, this, parts.shard.buffered, false);
  }

  get bytesSent(): number {
    return this.#body.bytes;
  }

  started(stream: ClientStream): void {
    this.#stream = stream;
    this.#body.attach(stream);
  }

  aborted(outcome: Outcome): void {
    this.call?.cancel(outcome.detail);
  }

  informational(status: number, fields: Fields): void {
    this.exchange.inform(status, fields, interimEdits(fields));
  }

  head(head: ResponseHead): void {
    const set = this.#kept();
    const edits =
      head.nominated === null && set === noEdits.set
        ? viaOnly
        : { remove: head.nominated ?? noEdits.remove, set, add: answerVia };
    const refusal = this.exchange.refusesHead(head.fields, edits, head.contentLength);
    if (refusal !== null) return this.call?.refuse(refusal);
    this.#answered = true;
    this.exchange.respond(head.status, head.fields, edits, head.contentLength, head.whole);
  }

  /** What the caller's proxy could not know by itself. */
  #kept(): readonly string[] {
    const { trace = null, access = null } = this.call?.record ?? {};
    if (this.parts.tracer.isKept(trace)) return keepTrace;
    return access?.verdict === "would-deny" ? keepLine : noEdits.set;
  }

  data(bytes: Uint8Array, start: number, end: number): void {
    if (!this.exchange.write(bytes, start, end)) this.#stream?.pause();
  }

  end(trailers: Fields | null): void {
    this.exchange.end(trailers);
  }

  failed(outcome: Outcome): void {
    if (this.#answered) breakOffInside(this.exchange, outcome);
    else rescue(this.exchange, outcome, this.requestId, true);
  }

  writable(): void {
    this.#body.resume();
  }
}

/** The id that the other proxy gave; a new one when it gave none that can be kept. */
export function requestIdOf(exchange: ServerExchange, parts: ProxyParts): string {
  const given = exchange.request.fields.get(requestIdField);
  return given !== null && isRequestId(given) ? given : parts.ids.next();
}
