/**
 * Spans as messages of OTLP (opentelemetry/proto/trace/v1/trace.proto): byte for byte what OpenTelemetry's own encoder makes, for a
 * fraction of what that costs. A span is written while its record is at hand; nothing is kept of it but bytes. Numbers are of
 * those files.
 */
import {
  errorOf,
  eventsOf,
  kindOf,
  nameOf,
  sameEdge,
  sayEdge,
  sayError,
  sayRequest,
  type AttributeSink,
  type Attributes,
  type Hop,
  type HopFacts,
  type SpanEvent,
} from "../trace/span.ts";
import type { OtlpSender } from "./encoding.ts";
import { openingBytes, ProtoWriter, varintSize } from "./proto_writer.ts";

const kinds = { server: 2, client: 3 } as const;
const statusError = 2;
/** W3C's flag for sampled; beside it whether the parent came from elsewhere is known, and that it did. */
const flags = { sampled: 0x1, remoteIsKnown: 0x100, remote: 0x200 } as const;
/** Of the message around spans, of a span and of an event. */
const fields = { spans: 2, spanAttributes: 9, eventAttributes: 3 } as const;
/** Of a value. */
const values = { flag: 2, whole: 3, double: 4 } as const;

/** Many spans share a block of memory, so that each costs no object of the host's. */
const blockBytes = 128 * 1_024;
/** More than a span usually has. */
const spanBytes = 2_048;
/** Those whose text is kept: looking through more would cost as much as writing one anew. */
const edgesMax = 16;

/** A span with what is before it where it stands among others. */
export class SpanBytes {
  constructor(
    readonly block: Uint8Array,
    readonly start: number,
    readonly end: number,
  ) {}
}

export class SpanWriter {
  #block = new ProtoWriter(blockBytes);
  readonly #part = new ProtoWriter();
  readonly #edges = new EdgeTexts();

  write(hop: Hop): SpanBytes {
    if (this.#block.length + spanBytes > blockBytes) this.#block = new ProtoWriter(blockBytes);
    const block = this.#block;
    block.skip(openingBytes);
    const bodyStart = block.length;
    // What nearly all requests say is of ASCII, and that is not known before it is tried.
    if (!this.#body(block, hop, new TextFields(block))) {
      block.reset(bodyStart);
      this.#body(block, hop, new AttributeFields(block, fields.spanAttributes));
    }
    const start = block.enclose(fields.spans, bodyStart);
    return new SpanBytes(block.bytes, start, block.length);
  }

  /** False: the attributes were none for these fields. */
  #body(span: ProtoWriter, hop: Hop, attributes: AttributeFields): boolean {
    const { facts, trace, startMs, endMs, firstByteMs } = hop;
    const { traceId, spanId, parentId, state } = trace;
    const kind = kindOf(facts);
    const error = errorOf(facts);
    span.hex(1, traceId);
    span.hex(2, spanId);
    if (state !== "") span.text(3, state);
    if (parentId !== "") span.hex(4, parentId);
    span.text(5, nameOf(facts));
    span.uint(6, kinds[kind]);
    span.time(7, startMs);
    span.time(8, endMs);
    this.#edges.write(span, facts);
    sayError(attributes, facts, error);
    sayRequest(attributes, facts);
    if (!attributes.end()) return false;
    span.uint(10, 0);
    for (const event of eventsOf(facts, startMs, endMs, firstByteMs)) span.message(11, this.#event(event));
    span.uint(12, 0);
    span.uint(14, 0);
    span.message(15, this.#status(error));
    span.fixed32(16, flags.sampled | flags.remoteIsKnown | (parentId === "" ? 0 : flags.remote));
    return true;
  }

  #event({ name, atMs, attributes }: SpanEvent): ProtoWriter {
    const part = this.#part;
    part.reset();
    part.time(1, atMs);
    part.text(2, name);
    writeAttributes(part, fields.eventAttributes, attributes);
    part.uint(4, 0);
    return part;
  }

  #status(error: string | null): ProtoWriter {
    const part = this.#part;
    part.reset();
    if (error !== null && error !== "") part.text(2, error);
    part.uint(3, error === null ? 0 : statusError);
    return part;
  }
}

/** What spans said of their edges, of the last few: that of the next is mostly among them. */
class EdgeTexts {
  readonly #known: { readonly facts: HopFacts; readonly said: Uint8Array }[] = [];
  readonly #writer = new ProtoWriter();
  #next = 0;

  write(span: ProtoWriter, facts: HopFacts): void {
    for (const known of this.#known)
      if (sameEdge(known.facts, facts)) return span.raw(known.said, 0, known.said.length);
    const writer = this.#writer;
    writer.reset();
    sayEdge(new AttributeFields(writer, fields.spanAttributes), facts);
    // Copies: a record may go on to be something else.
    this.#known[this.#next++ % edgesMax] = { facts: { ...facts }, said: writer.written.slice() };
    span.raw(writer.bytes, 0, writer.length);
  }
}

/** Attributes as fields of a message. */
class AttributeFields implements AttributeSink {
  constructor(
    protected readonly to: ProtoWriter,
    protected readonly field: number,
  ) {}

  text(name: string, value: string): void {
    this.to.pair(this.field, name, value);
  }

  figure(name: string, value: number): void {
    if (Number.isSafeInteger(value) && value >= 0) this.to.uintPair(this.field, name, values.whole, value);
    else this.to.doublePair(this.field, name, values.double, value);
  }

  flag(name: string, value: boolean): void {
    this.to.uintPair(this.field, name, values.flag, value ? 1 : 0);
  }

  /** All was said. False: it could not be written so. */
  end(): boolean {
    return true;
  }
}

/**
 * The same where texts come first and are of ASCII: then they are ASCII with all that is around them, too, as long as they are short, and
 * one string of all of them is written at once.
 */
class TextFields extends AttributeFields {
  constructor(to: ProtoWriter) {
    super(to, fields.spanAttributes);
  }

  #texts = "";
  #isAscii = true;

  override text(name: string, value: string): void {
    const heads = headsOf(name);
    if (value.length < heads.length) this.#texts += (heads[value.length] as string) + value;
    else {
      this.#flush();
      super.text(name, value);
    }
  }

  override figure(name: string, value: number): void {
    this.#flush();
    super.figure(name, value);
  }

  override flag(name: string, value: boolean): void {
    this.#flush();
    super.flag(name, value);
  }

  override end(): boolean {
    this.#flush();
    return this.#isAscii;
  }

  #flush(): void {
    if (this.#texts !== "" && !this.to.ascii(this.#texts)) this.#isAscii = false;
    this.#texts = "";
  }
}

/** What stands before a value of so many bytes, by names: of all lengths with which it is of ASCII. Names are few, and heddle's own. */
const headsByName = new Map<string, readonly string[]>();

function headsOf(name: string): readonly string[] {
  const known = headsByName.get(name);
  if (known !== undefined) return known;
  const made: string[] = [];
  const writer = new ProtoWriter();
  for (let length = 0; ; length++) {
    const value = "x".repeat(length);
    writer.reset();
    writer.pair(fields.spanAttributes, name, value);
    const text = String.fromCharCode(...writer.written);
    if (/[^\x00-\x7f]/.test(text)) break;
    made.push(text.slice(0, text.length - length));
  }
  headsByName.set(name, made);
  return made;
}

function writeAttributes(to: ProtoWriter, field: number, attributes: Attributes): void {
  const sink = new AttributeFields(to, field);
  for (const name in attributes) {
    const value = attributes[name];
    if (typeof value === "string") sink.text(name, value);
    else if (typeof value === "number") sink.figure(name, value);
    else if (value !== undefined) sink.flag(name, value);
  }
}

/** A whole request with these spans. */
export function spanRequest(spans: readonly SpanBytes[], { resource, version }: OtlpSender): Uint8Array {
  const [sender, scope] = [new ProtoWriter(), new ProtoWriter()];
  writeAttributes(sender, 1, resource);
  sender.uint(2, 0);
  scope.text(1, "heddle");
  scope.text(2, version);
  const scopeSize = enclosedSize(scope.length) + spans.reduce((sum, { start, end }) => sum + end - start, 0);
  const size = enclosedSize(sender.length) + enclosedSize(scopeSize);
  const request = new ProtoWriter(enclosedSize(size));
  request.opening(1, size);
  request.message(1, sender);
  request.opening(2, scopeSize);
  request.message(1, scope);
  for (const { block, start, end } of spans) request.raw(block, start, end);
  return request.written;
}

/** With what is before it, in a field below 16. */
function enclosedSize(size: number): number {
  return 1 + varintSize(size) + size;
}
