/** One request on an HTTP/2 client connection, and what comes back. */
import type { Flag, Outcome, Repeat } from "../model/outcome.ts";
import { limits } from "../model/limits.ts";
import type { FieldEdits, Fields } from "../wire/fields.ts";
import { writingOf, type FieldWriting } from "../wire/h1/write_head.ts";
import { codeForCaller, errorCodes } from "../wire/h2/frames.ts";
import { grpcCodes } from "../wire/grpc.ts";
import type { HeadBlock } from "../wire/h2/head_block.ts";
import { idOf, noFields, type HeadFields } from "../wire/head_fields.ts";
import type { ClientStream, OutgoingRequest, ResponseHead, ResponseSink } from "./exchange.ts";
import { declinedField } from "../wire/h2/settings.ts";
import { untaken } from "./buffered.ts";
import { listBytes, listBytesAtMost, listedBytes, takesHeads } from "../wire/h2/head_list.ts";
import type { HpackEncoder } from "../wire/h2/hpack_encoder.ts";
import { Http2Stream, is, type StreamWire } from "./h2_stream.ts";
import { firstProtocol } from "./upgrade.ts";

/** What a call needs of its connection. */
export interface CallWire extends StreamWire {
  readonly heads: HpackEncoder;
  writeHead(call: Http2Call, endStream: boolean): void;
  /** A call gave up before it began. */
  dropEarly(call: Http2Call): void;
  /** Nobody wants the answer: resets the stream, now or later. */
  abandon(call: Http2Call): void;
  /** A limit of this call tripped. */
  tripped(limit: string): void;
  /** In words: `detail` goes on after the name of the peer. */
  outcome(flag: Flag, detail: string, repeat: Repeat): Outcome;
}

const hostId = idOf("host");
/** Of `:method`, `:scheme`, `:path` and `:authority`, without the values of three of them. */
const pseudoBytes =
  listedBytes(":method", "") +
  listedBytes(":scheme", "https") +
  listedBytes(":path", "") +
  listedBytes(":authority", "");
const declinedNames = [declinedField] as const;

export class Http2Call extends Http2Stream implements ClientStream, ResponseHead {
  // As ResponseHead, once `answered`.
  status = 0;
  contentLength = -1;
  nominated: readonly string[] | null = null;
  whole = false;
  /** 1xx answers so far. */
  #interim = 0;
  #fields: HeadFields | null = null;
  #sink: ResponseSink | null;

  constructor(
    client: CallWire,
    readonly request: OutgoingRequest,
    readonly edits: FieldEdits,
    sink: ResponseSink,
  ) {
    super(client, 0);
    this.#sink = sink;
  }

  get client(): CallWire {
    return this.wire as CallWire;
  }

  get tunnel(): boolean {
    return (this.flags & is.tunnel) !== 0;
  }

  /** The final head came. */
  get answered(): boolean {
    return (this.flags & is.started) !== 0;
  }

  /** Given up, and not reset yet. */
  get unheard(): boolean {
    return (this.flags & is.unheard) !== 0;
  }

  get fields(): Fields {
    return this.#fields ?? noFields;
  }

  /** Extended CONNECT, which a server must have announced (RFC 8441 section 3). */
  get needsSettings(): boolean {
    const { upgrade } = this.request;
    return upgrade !== null && upgrade !== "connect";
  }

  // ----------------------------------------------------------------------------------------------- request

  /** Why the server would not take its head: that is larger than it said it takes; null when it fits. */
  get excess(): Outcome | null {
    const { client, request, edits } = this;
    const most = client.peer.headListBytesMax;
    if (most === Infinity) return null;
    const { method, target, authority, fields } = request;
    // Names of the pseudo-fields with what each field counts, `:protocol` and Content-Length where they may be.
    const ownBytes = pseudoBytes + method.length + target.length + authority.length + this.#rareBytes;
    if (ownBytes + listBytesAtMost(fields, edits) <= most) return null;
    const size = ownBytes + listBytes(fields, this.#writing, true);
    if (size <= most) return null;
    const { detail } = client.outcome("DPE", takesHeads(most), "no");
    const more = `the head of the request has ${size} bytes, and ${detail}`;
    return { flag: "DPE", side: "downstream", repeat: "no", status: 431, detail: more };
  }

  get #rareBytes(): number {
    const { upgrade, contentLength } = this.request;
    const protocol = upgrade === null ? 0 : listedBytes(":protocol", upgrade);
    return protocol + (contentLength > 0 ? listedBytes("content-length", String(contentLength)) : 0);
  }

  get #writing(): FieldWriting {
    const { edits, request } = this;
    return writingOf(edits, request.nominated, false, hostId);
  }

  /** The stream has its number: its head leaves, with what was written meanwhile behind it. */
  writeHead(): void {
    const { request, client } = this;
    const { method, target, authority, fields, upgrade, contentLength } = request;
    const { heads } = client;
    this.sendWindow = client.peer.streamWindowBytes;
    heads.begin();
    heads.method(upgrade === null ? method : "CONNECT");
    if (upgrade !== "connect") {
      heads.scheme(client.profile.scheme);
      heads.path(target);
      if (upgrade !== null) heads.text(":protocol", firstProtocol(upgrade));
    }
    heads.text(":authority", authority);
    heads.fields(fields, this.#writing, true);
    if (upgrade === null && (contentLength > 0 || (contentLength === 0 && takesBody(method))))
      heads.contentLength(contentLength);
    const whole = upgrade === null && contentLength === 0;
    if (whole) this.flags |= is.localEnded;
    client.writeHead(this, whole);
    if (this.queuedBytes > 0) client.sender.wait(this);
    else this.catchUp();
  }

  protected override get open(): boolean {
    return this.id !== 0;
  }

  write(bytes: Uint8Array, start = 0, end = bytes.length): boolean {
    if (this.closed || this.localEnded || start === end) return true;
    return this.send(bytes, start, end);
  }

  end(trailers: Fields | null): void {
    this.sendEnd(trailers);
  }

  cancel(): void {
    this.#sink = null;
    if (this.closed) return;
    if (this.id === 0) {
      this.drop();
      this.client.dropEarly(this);
    } else this.client.abandon(this);
    this.onClosed();
  }

  /** Goes on, but nothing of it is sent or handed on. */
  goUnheard(): void {
    this.flags |= is.unheard;
    this.put(is.cutShort, !this.sentAll);
    this.discard();
    this.stopSending();
  }

  // ------------------------------------------------------------------------------------------------ answer

  protected get taken(): boolean {
    return this.#sink !== null;
  }

  /** What is wrong with a head that is well-formed by itself. */
  problemOf(head: HeadBlock, endStream: boolean): string | null {
    const { status } = head;
    if (status < 200 && (status === 101 || endStream)) return "an interim answer that cannot be one";
    if (status < 200 && ++this.#interim > limits.interimAnswersMax) {
      this.client.tripped("interimAnswersMax");
      return "interim answers without end";
    }
    const short = endStream && head.contentLength > 0 && !this.#isBodyless(status) && !this.#isTunnel(head);
    return short ? "less body than Content-Length says" : null;
  }

  takeHead(head: HeadBlock, endStream: boolean): void {
    const { status, fields } = head;
    if (status < 200) {
      this.#sink?.informational(status, fields);
      return this.client.shard.giveFields(fields);
    }
    const bodyless = this.#isBodyless(status);
    this.flags |= is.started;
    if (this.unheard) return this.#endUnheard(fields, endStream);
    this.#fields = fields;
    this.put(is.tunnel, this.#isTunnel(head));
    this.status = this.tunnel && this.needsSettings ? 101 : status;
    if (this.needsSettings && this.client.profile.marksDeclined && fields.has(declinedField))
      this.nominated = declinedNames;
    this.whole = endStream && !this.tunnel;
    if (bodyless || endStream) this.contentLength = 0;
    else this.contentLength = this.tunnel ? -1 : head.contentLength;
    this.expectedBytes = bodyless ? 0 : this.contentLength;
    if (this.tunnel && endStream) this.contentLength = -1;
    this.#sink?.head(this);
    if (endStream && !this.closed) this.receiveEnd(null);
  }

  #endUnheard(fields: HeadFields, endStream: boolean): void {
    this.client.shard.giveFields(fields);
    if (endStream && (this.flags & is.cutShort) === 0) this.client.forget(this);
    else this.client.resetStream(this, errorCodes.cancel);
  }

  #isBodyless(status: number): boolean {
    return this.request.method === "HEAD" || status === 204 || status === 304;
  }

  #isTunnel(head: HeadBlock): boolean {
    if (this.request.upgrade === null || head.status < 200 || head.status >= 300) return false;
    const marked = this.needsSettings && this.client.profile.marksDeclined;
    return !(marked && head.fields.has(declinedField));
  }

  protected onData(bytes: Uint8Array, start: number, end: number): void {
    this.#sink?.data(bytes, start, end);
  }

  protected onEnd(trailers: Fields | null): void {
    this.flags |= is.received;
    this.#sink?.end(trailers);
  }

  protected onWritable(): void {
    this.#sink?.writable();
  }

  // ------------------------------------------------------------------------------------------------- its end

  /** An answer ends the call, also when its request has not ended: a server that has answered reads no further. */
  protected override settle(): void {
    if (this.closed || (this.flags & is.received) === 0) return;
    if (this.tunnel) return super.settle();
    if (this.sentAll) this.client.forget(this);
    else this.client.resetStream(this, errorCodes.cancel);
    this.onClosed();
  }

  /** A server that has answered whole may reset what it has not read (RFC 9113 section 8.1). */
  override peerStopped(): boolean {
    if (!this.remoteEnded || this.tunnel) return false;
    this.stopSending();
    return true;
  }

  onClosed(): void {
    if (this.#fields !== null) this.client.shard.giveFields(this.#fields);
    this.#fields = null;
    this.#sink = null;
  }

  onBroken(code: number, detail: string, byPeer: boolean): void {
    if (!byPeer) return this.#spoilt(code, detail);
    const how = code === errorCodes.connectError ? "lost its app" : detail.replace("the peer reset", "reset");
    const { answered } = this;
    const outcome = answered
      ? this.client.outcome("UR", `${how} inside its answer`, "no")
      : this.client.outcome("UR", `${how} before it answered`, repeatAfter(code));
    // Another proxy that has not answered says in an answer what the app did.
    const meant = answered || this.client.profile.name === "app" ? codeForCaller(code) : null;
    this.#end(meant === null ? outcome : { ...outcome, reset: meant });
  }

  /** Its answer breaks the rules, or is too much. */
  #spoilt(code: number, detail: string): void {
    if (code !== errorCodes.enhanceYourCalm)
      return this.#fail("UPE", `sent an answer that is not valid HTTP/2: ${detail}`, "no");
    const outcome = this.client.outcome("UPE", `sent an answer that is too large: ${detail}`, "no");
    this.#end({ ...outcome, grpc: grpcCodes.resourceExhausted });
  }

  /** What waits takes too much of what all share: an answer that nobody takes here, or a body that the peer does not take. */
  giveWay(limit: string): void {
    const { client } = this;
    const sink = this.#sink;
    const slow = "took the request body too slowly while much waited for others too";
    const outcome = this.isHeld ? untaken : client.outcome("UO", slow, "no");
    client.tripped(limit);
    this.cancel();
    sink?.failed(outcome);
  }

  /** The connection is no more, or takes this call no more. */
  lost(flag: Flag, how: string, repeat: Repeat): void {
    this.drop();
    this.#fail(flag, how, repeat);
  }

  /** It cannot even be sent. Told later: nothing is called from inside `start`. */
  refusedHere(outcome: Outcome): void {
    this.drop();
    this.client.shard.clock.soon(() => {
      this.client.shard.enter();
      this.#sink?.failed(outcome);
      this.#sink = null;
      this.client.shard.leave();
    });
  }

  #fail(flag: Flag, how: string, repeat: Repeat): void {
    this.#end(this.client.outcome(flag, how, repeat));
  }

  #end(outcome: Outcome): void {
    const sink = this.#sink;
    this.#sink = null;
    sink?.failed(outcome);
    this.onClosed();
  }
}

/** What a reset before any answer says about the request (RFC 9113 section 8.7). */
function repeatAfter(code: number): Repeat {
  if (code === errorCodes.refusedStream) return "yes";
  const pointless =
    code === errorCodes.protocolError ||
    code === errorCodes.enhanceYourCalm ||
    code === errorCodes.http11Required;
  return pointless ? "no" : "idempotent";
}

/** Methods whose empty body is said, because servers expect one (RFC 9110 section 8.6). */
function takesBody(method: string): boolean {
  return method === "POST" || method === "PUT" || method === "PATCH";
}
