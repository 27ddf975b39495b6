/**
 * Spans as messages of OTLP (opentelemetry/proto/trace/v1/trace.proto): byte for byte what OpenTelemetry's own encoder makes, for a
 * fraction of what that costs. A span is written while its record is at hand; nothing is kept of it but bytes. Numbers are of
 * those files.
 */
import {
  errorOf,
  eventsOf,
  isUsual,
  kindOf,
  nameOf,
  sameEdge,
  sayEdge,
  sayError,
  sayRequest,
  type Attributes,
  type Hop,
  type HopFacts,
  type SpanEvent,
} from "../trace/span.ts";
import type { OtlpSender } from "./encoding.ts";
import { AttributeFields, attributesField, MarkedFields, TextFields } from "./attribute_fields.ts";
import { openingBytes, ProtoWriter, varintSize } from "./proto_writer.ts";
import { SpanBlocks, SpanBytes } from "./span_blocks.ts";
import { SpanTemplates } from "./span_templates.ts";

const kinds = { server: 2, client: 3 } as const;
const statusError = 2;
/** W3C's flag for sampled; beside it whether the parent came from elsewhere is known, and that it did. */
const flags = { sampled: 0x1, remoteIsKnown: 0x100, remote: 0x200 } as const;
/** Of the message around spans, and of an event. */
const fields = { spans: 2, eventAttributes: 3 } as const;
/** Those whose text is kept: looking through more would cost as much as writing one anew. */
const edgesMax = 16;

export class SpanWriter {
  readonly #blocks = new SpanBlocks();
  readonly #templates = new SpanTemplates();
  readonly #part = new ProtoWriter();
  readonly #edges = new EdgeTexts();

  write(hop: Hop): SpanBytes {
    const block = this.#blocks.next();
    const { writer } = block;
    const start = writer.length;
    const isUsualHop = isUsual(hop);
    if (!isUsualHop || !this.#templates.write(writer, hop)) {
      writer.skip(openingBytes);
      if (isUsualHop && this.#templates.wants(hop)) this.#learn(writer, hop, start);
      else this.#whole(writer, hop);
    }
    writer.enclose(fields.spans, start + openingBytes);
    block.waiting++;
    return new SpanBytes(block, start, writer.length);
  }

  /** Nobody needs the bytes of this span any more. */
  release(span: SpanBytes): void {
    this.#blocks.release(span.block);
  }

  #whole(span: ProtoWriter, hop: Hop): void {
    const start = span.length;
    // What nearly all requests say is of ASCII, and that is not known before it is tried.
    if (this.#body(span, hop, new TextFields(span))) return;
    span.reset(start);
    this.#body(span, hop, new AttributeFields(span, attributesField));
  }

  /** Writes it, and keeps how for those that are like it. */
  #learn(span: ProtoWriter, hop: Hop, start: number): void {
    const marked = new MarkedFields(span);
    this.#body(span, hop, marked);
    this.#templates.learn(span, hop, start, marked);
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
    sayEdge(new AttributeFields(writer, attributesField), facts);
    // Copies: a record may go on to be something else.
    this.#known[this.#next++ % edgesMax] = { facts: { ...facts }, said: writer.written.slice() };
    span.raw(writer.bytes, 0, writer.length);
  }
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
export function spanRequest(
  spans: readonly SpanBytes[],
  { resource, version }: OtlpSender,
  request: ProtoWriter,
): Uint8Array {
  const [sender, scope] = [new ProtoWriter(), new ProtoWriter()];
  writeAttributes(sender, 1, resource);
  sender.uint(2, 0);
  scope.text(1, "heddle");
  scope.text(2, version);
  const scopeSize = enclosedSize(scope.length) + spans.reduce((sum, { start, end }) => sum + end - start, 0);
  const size = enclosedSize(sender.length) + enclosedSize(scopeSize);
  request.reset();
  request.opening(1, size);
  request.message(1, sender);
  request.opening(2, scopeSize);
  request.message(1, scope);
  copyRuns(request, spans);
  return request.written;
}

/** Mostly they stand one behind the other: those are copied at once. */
function copyRuns(to: ProtoWriter, spans: readonly SpanBytes[]): void {
  for (let at = 0; at < spans.length;) {
    const { block, start, end } = spans[at++] as SpanBytes;
    let runEnd = end;
    for (; at < spans.length; at++) {
      const next = spans[at] as SpanBytes;
      if (next.block !== block || next.start !== runEnd) break;
      runEnd = next.end;
    }
    to.raw(block.writer.bytes, start, runEnd);
  }
}

/** With what is before it, in a field below 16. */
function enclosedSize(size: number): number {
  return 1 + varintSize(size) + size;
}
