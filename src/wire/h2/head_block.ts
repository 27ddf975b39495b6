/**
 * One header block as it is decoded: fields go into a `HeadFields` in the layout of HTTP/1, pseudo-fields are kept apart, and
 * every rule of RFC 9113 sections 8.2 and 8.3 is checked on the way. Reused from block to block. What is over a limit is
 * counted and no longer kept, so a block costs bounded memory whatever it refers to.
 */
import { copyBytes, latin1 } from "../../base/bytes.ts";
import { limits } from "../../model/limits.ts";
import { plainNumber } from "../h1/framing.ts";
import { problems, type Problem } from "../h1/grammar.ts";
import { fieldStride } from "../fields.ts";
import { isGrpc, isGrpcType } from "../grpc.ts";
import type { HeadFields } from "../head_fields.ts";
import { idOf } from "../head_fields.ts";
import { internFields } from "../interned_fields.ts";
import { normalAuthority, type NormalTarget } from "../target.ts";
import { fieldOverheadBytes, interner, kinds, readPseudo, readTarget, type FieldLine } from "./field_line.ts";

export type BlockKind = "request" | "response" | "trailers";

/** What a block is after its first fields: enough to go on behind them. */
export interface BlockState {
  readonly kind: BlockKind;
  readonly interned: HeadFields;
  readonly size: number;
  readonly count: number;
  readonly seen: number;
  readonly cookies: number;
  readonly method: string;
  readonly scheme: string;
  readonly authority: string;
  readonly protocol: string;
  readonly target: NormalTarget | null;
  readonly status: number;
  readonly contentLength: number;
}

/** Numbers of a mark: the fields of a block so far, and what was seen of them. */
const markStride = 6;
const marksMax = 64;

const cookieId = idOf("cookie");
const typeId = idOf("content-type");
/** Beside the number of cookies: there was a Content-Length. */
const lengthMark = 1 << 16;

export class HeadBlock {
  kind: BlockKind = "request";
  fields!: HeadFields;
  /** Bytes of `fields` that hold fields. */
  used = 0;
  /** Why the message is malformed: a stream error PROTOCOL_ERROR. */
  malformed: string | null = null;
  /** Why a request that is well-formed is not served. */
  refusal: Problem | null = null;
  /** The fields come to more than a peer that keeps to the rules could mean: the rest is not worth decoding. */
  excessive = false;

  method = "";
  scheme = "";
  target = "";
  path = "";
  authority = "";
  /** As RequestHead.upgrade. */
  upgrade: string | null = null;
  status = 0;
  /** -1 without Content-Length. */
  contentLength = -1;
  expectContinue = false;
  /** A refused head says, maybe behind what was kept of it, that it is one of gRPC. */
  grpc = false;

  #sizeMax = 0;
  #excess = 0;
  #size = 0;
  #count = 0;
  #ordinarySeen = false;
  /** Which pseudo-fields came, by kind. */
  #seen = 0;
  #protocol = "";
  #target: NormalTarget | null = null;
  #host = "";
  #cookies = 0;
  readonly #marks = new Int32Array(marksMax * markStride);

  /** A new block, whose fields go to `fields`. Over `sizeMax` it is refused, and over `excess` it is excessive. */
  begin(
    kind: BlockKind,
    fields: HeadFields,
    sizeMax: number,
    excess = limits.h2HeadExcessMax * sizeMax,
  ): void {
    fields.clear();
    this.fields = fields;
    this.used = 0;
    this.malformed = null;
    this.refusal = null;
    this.excessive = false;
    this.method = "";
    this.authority = "";
    this.upgrade = null;
    this.status = 0;
    this.contentLength = -1;
    this.expectContinue = false;
    this.grpc = false;
    this.kind = kind;
    this.#sizeMax = sizeMax;
    this.#excess = excess;
    this.#size = 0;
    this.#count = 0;
    this.#ordinarySeen = false;
    this.#seen = 0;
    this.#target = null;
    this.#host = "";
    this.#cookies = 0;
  }

  /** Notes what the block is before the field with this number among all of its fields. */
  mark(index: number): void {
    if (index >= marksMax) return;
    const marks = this.#marks;
    const at = index * markStride;
    marks[at] = this.used;
    marks[at + 1] = this.fields.count;
    marks[at + 2] = this.#size;
    marks[at + 3] = this.#count;
    marks[at + 4] = this.#seen;
    marks[at + 5] = this.contentLength >= 0 ? this.#cookies | lengthMark : this.#cookies;
  }

  /** What the block was at the mark with this number. Before `finish`. null when it is nothing to go on from. */
  stateAt(index: number): BlockState | null {
    if (index >= marksMax || this.malformed !== null || this.refusal !== null) return null;
    if (this.#host !== "" || this.expectContinue) return null;
    const marks = this.#marks;
    const at = index * markStride;
    const cookies = (marks[at + 5] as number) & ~lengthMark;
    const interned = internFields(this.fields, marks[at + 1] as number, marks[at] as number);
    if (interned === null || cookies > 1) return null;
    const seen = marks[at + 4] as number;
    const had = (kind: number): boolean => (seen & (1 << kind)) !== 0;
    return {
      kind: this.kind,
      interned,
      size: marks[at + 2] as number,
      count: marks[at + 3] as number,
      seen,
      cookies,
      method: had(kinds.method) ? this.method : "",
      scheme: had(kinds.scheme) ? this.scheme : "",
      authority: had(kinds.authority) ? this.authority : "",
      protocol: had(kinds.protocol) ? this.#protocol : "",
      target: had(kinds.path) ? this.#target : null,
      status: had(kinds.status) ? this.status : 0,
      contentLength: (marks[at + 5] as number) >= lengthMark ? this.contentLength : -1,
    };
  }

  /** Becomes what a block was in that state. Right after `begin`; `whole`: no field follows, so the interned fields themselves are taken. */
  goOnFrom(state: BlockState, whole: boolean): void {
    const { interned } = state;
    if (whole) this.fields = interned;
    else this.fields.beginWith(interned);
    this.used = interned.bytes.length;
    this.#size = state.size;
    this.#count = state.count;
    this.#seen = state.seen;
    this.#cookies = state.cookies;
    this.#ordinarySeen = interned.count > 0;
    this.method = state.method;
    this.scheme = state.scheme;
    this.authority = state.authority;
    this.#protocol = state.protocol;
    this.#target = state.target;
    this.status = state.status;
    this.contentLength = state.contentLength;
  }

  /** Makes room up to this offset of `fields.bytes`. */
  reserve(end: number): void {
    if (end > this.fields.bytes.length) this.fields.reserve(end);
  }

  /** A field that stands in a table. */
  line(line: FieldLine): void {
    const { bytes, kind } = line;
    const { length } = bytes;
    // A block may refer to a large entry many times: what is refused anyway is not copied.
    if (kind > kinds.protocol && this.#takesMore(line.size)) {
      this.reserve(this.used + length);
      copyBytes(this.fields.bytes, this.used, bytes, 0, length);
    }
    this.take(kind, line.id, line.sound, line.nameLength, length - 4 - line.nameLength, line);
  }

  /** Whether a field of this size stays within the limits. */
  #takesMore(size: number): boolean {
    return this.#size + size <= this.#sizeMax && this.#count < limits.fieldCountMax;
  }

  /**
   * A field whose line stands in `fields.bytes` at `used`. Of a pseudo-field that has a line in a table, only the line is
   * looked at.
   */
  take(
    kind: number,
    id: number,
    sound: boolean,
    nameLength: number,
    valueLength: number,
    line: FieldLine | null,
  ): void {
    this.#size += nameLength + valueLength + fieldOverheadBytes;
    if (this.#size > this.#sizeMax || ++this.#count > limits.fieldCountMax) {
      this.excessive = this.#size > this.#excess;
      if (id === typeId) this.#noteType(nameLength, valueLength, line);
      return this.#refuse(this.#size > this.#sizeMax ? problems.headLong : problems.fieldCount);
    }
    if (kind <= kinds.protocol) return this.#takePseudo(kind, line, nameLength, valueLength);
    if (!sound || kind >= kinds.ofThisHop)
      return this.#spoil(!sound ? "a field value is malformed" : badName(kind));
    const nameEnd = this.used + nameLength;
    const valueEnd = nameEnd + 2 + valueLength;
    this.#ordinarySeen = true;
    if (kind !== kinds.ordinary) this.#takeSpecial(kind, nameEnd + 2, valueEnd);
    this.fields.add(id, this.used, nameEnd, nameEnd + 2, valueEnd);
    this.used = valueEnd + 2;
  }

  #noteType(nameLength: number, valueLength: number, line: FieldLine | null): void {
    const start = line === null ? this.used + nameLength + 2 : line.valueStart;
    this.grpc = isGrpcType(latin1(line?.bytes ?? this.fields.bytes, start, start + valueLength));
  }

  /** All fields are there: what needs the whole head. */
  finish(): void {
    if (this.refusal !== null) this.grpc ||= isGrpc(this.fields);
    if (this.#cookies > 1) this.#joinCookies();
    if (this.malformed !== null || this.refusal !== null) return;
    if (this.kind === "request") this.#finishRequest();
    else if (this.kind === "response" && this.status === 0) this.#spoil("there is no :status");
  }

  // ------------------------------------------------------------------------------------------ pseudo-fields

  #takePseudo(kind: number, line: FieldLine | null, nameLength: number, valueLength: number): void {
    const wanted = this.kind === "trailers" ? false : (kind === kinds.status) === (this.kind === "response");
    if (!wanted || this.#ordinarySeen || (this.#seen & (1 << kind)) !== 0)
      return this.#spoil("a pseudo-field is misplaced");
    this.#seen |= 1 << kind;
    if (line === null) return this.#readLiteral(kind, this.used + nameLength + 2, valueLength);
    if (!line.sound) return this.#spoil("a pseudo-field has no valid value");
    if (kind === kinds.path) this.#target = line.target;
    else this.#set(kind, line.text);
  }

  #readLiteral(kind: number, start: number, length: number): void {
    const text = interner.latin1(this.fields.bytes, start, start + length);
    if (kind === kinds.path) {
      this.#target = readTarget(text);
      if (this.#target === null) this.#spoil("the :path is malformed");
      return;
    }
    const value = readPseudo(kind, text);
    if (value === null) this.#spoil("a pseudo-field has no valid value");
    else this.#set(kind, value);
  }

  #set(kind: number, value: string): void {
    if (kind === kinds.method) this.method = value;
    else if (kind === kinds.scheme) this.scheme = value;
    else if (kind === kinds.authority) this.authority = value;
    else if (kind === kinds.protocol) this.#protocol = value;
    else this.status = value.charCodeAt(0) * 100 + value.charCodeAt(1) * 10 + value.charCodeAt(2) - 48 * 111;
  }

  #has(kind: number): boolean {
    return (this.#seen & (1 << kind)) !== 0;
  }

  #finishRequest(): void {
    if (!this.#has(kinds.method)) return this.#spoil("there is no :method");
    if (this.authority === "") this.authority = this.#host;
    else if (this.#host !== "" && this.#host !== this.authority)
      return this.#spoil("Host differs from :authority");
    if (this.authority === "") return this.#spoil("there is no :authority");
    if (this.method.length > limits.methodBytesMax) this.#refuse(problems.method);
    const connect = this.method === "CONNECT";
    if (connect && !this.#has(kinds.protocol)) return this.#finishConnect();
    const target = this.#target;
    if (target === null || !this.#has(kinds.scheme)) return this.#spoil("there is no :scheme or :path");
    if (target.target === "*" && this.method !== "OPTIONS") return this.#spoil("the :path is malformed");
    if (target.target.length > limits.targetBytesMax) this.#refuse(problems.targetLong);
    this.target = target.target;
    this.path = target.path;
    if (!this.#has(kinds.protocol)) return;
    if (!connect) return this.#spoil(":protocol stands without CONNECT");
    // Extended CONNECT (RFC 8441) is an upgrade here, whatever version carries it.
    this.method = "GET";
    this.upgrade = this.#protocol;
    // The one means plain CONNECT, and no protocol is called so; the other is HTTP again, behind every rule.
    if (this.#protocol === "connect" || this.#protocol === "h2c") this.#refuse(problems.protocol);
    if (this.#protocol === "connect-udp" || this.#protocol === "connect-ip") this.#refuse(problems.datagrams);
  }

  /** RFC 9113 section 8.5: an authority with a port, and nothing else. */
  #finishConnect(): void {
    if (this.#has(kinds.scheme) || this.#has(kinds.path))
      return this.#spoil("CONNECT has a :scheme or :path");
    if (!hasPort(this.authority)) return this.#spoil("CONNECT names no port");
    this.target = this.path = "";
    this.upgrade = "connect";
  }

  // ---------------------------------------------------------------------------------------- special fields

  #takeSpecial(kind: number, start: number, end: number): void {
    const { bytes } = this.fields;
    if (kind === kinds.cookie) this.#cookies++;
    else if (kind === kinds.contentLength) {
      if (this.contentLength >= 0) return this.#spoil("there is more than one Content-Length");
      this.contentLength = plainNumber(bytes, start, end);
      if (this.contentLength < 0) this.#spoil("Content-Length is not one plain number");
    } else if (kind === kinds.te) {
      if (interner.latin1(bytes, start, end) !== "trailers") this.#spoil("TE is not trailers");
    } else if (this.kind !== "request") return;
    else if (kind === kinds.host) this.#takeHost(interner.latin1(bytes, start, end));
    else if (interner.latin1(bytes, start, end).toLowerCase() === "100-continue") this.expectContinue = true;
    else this.#refuse(problems.expectation);
  }

  #takeHost(text: string): void {
    const host = normalAuthority(text);
    if (host === null || this.#host !== "") this.#spoil("Host is malformed");
    else this.#host = host;
  }

  /** Crumbs become one field (RFC 9113 section 8.2.3), behind the others; empty ones leave nothing, also no separator. */
  #joinCookies(): void {
    const { fields } = this;
    const start = this.used;
    let at = start;
    let kept = 0;
    const put = (text: string): void => {
      this.reserve(at + text.length);
      for (let index = 0; index < text.length; index++) fields.bytes[at++] = text.charCodeAt(index);
    };
    put("cookie: ");
    for (let index = 0; index < fields.count; index++) {
      const entry = index * fieldStride;
      const { table } = fields;
      if (fields.ids[index] === cookieId) {
        const valueStart = table[entry + 2] as number;
        const valueEnd = table[entry + 3] as number;
        if (valueStart === valueEnd) continue;
        if (at > start + 8) put("; ");
        this.reserve(at + valueEnd - valueStart);
        copyBytes(fields.bytes, at, fields.bytes, valueStart, valueEnd);
        at += valueEnd - valueStart;
      } else {
        table.copyWithin(kept * fieldStride, entry, entry + fieldStride);
        fields.ids[kept++] = fields.ids[index] as number;
      }
    }
    put("\r\n");
    fields.count = kept;
    fields.interned = null;
    fields.add(cookieId, start, start + 6, start + 8, at - 2);
    this.used = at;
  }

  #spoil(reason: string): void {
    this.malformed ??= reason;
  }

  #refuse(problem: Problem): void {
    this.refusal ??= problem;
  }
}

function badName(kind: number): string {
  return kind === kinds.bad ? "a field name is malformed" : "a field speaks of the connection";
}

function hasPort(authority: string): boolean {
  let at = authority.length;
  while (at > 0 && isDigitAt(authority, at - 1)) at--;
  return at < authority.length && authority.charCodeAt(at - 1) === 58;
}

function isDigitAt(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code >= 48 && code <= 57;
}
