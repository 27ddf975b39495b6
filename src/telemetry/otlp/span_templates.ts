/**
 * Spans of usual requests of one edge, path, endpoint and status differ in their ids, times and sizes alone: they are copies of the last
 * one with these put in. What has come twice in a row at its place is kept, so that paths that never come again cost nothing here.
 */
import { ownNames, sameUsual, type Hop, type HopFacts } from "../trace/span.ts";
import { AttributeFields, attributesField } from "./attribute_fields.ts";
import { openingBytes, type ProtoWriter } from "./proto_writer.ts";

const slots = 64;
/** Longer spans are not kept. */
const templateBytesMax = 1_024;

/** Where the parts of a span begin that differ, from where it begins: fields 1, 2 and 4, which come first and have lengths of their own. */
const idsAt = { trace: openingBytes + 2, span: openingBytes + 20, parent: openingBytes + 30 } as const;
/** From the start to field 5, the name. */
const afterIds = { alone: openingBytes + 28, withParent: openingBytes + 38 } as const;
/** A time is one byte of field and eight of value. */
const timeBytes = 9;
/** From where attributes end to the time of the first event: field 10, what is before field 11, and the field of the time in it. */
const eventTimeAt = 2 + 2 + 1;

/** Where in what was written the parts stand that differ. */
export interface SpanMarks {
  readonly requestIdEnd: number;
  /** Sizes: the last attributes. */
  readonly figuresStart: number;
  readonly figuresEnd: number;
}

interface Template {
  readonly facts: HopFacts;
  readonly hasParent: boolean;
  /** Up to the sizes. */
  readonly head: Uint8Array;
  readonly startTimeAt: number;
  readonly requestIdAt: number;
  /** Sizes as the last span had them. */
  figures: Uint8Array;
  bytesIn: number;
  bytesOut: number;
  /** From behind the sizes on. */
  readonly tail: Uint8Array;
}

export class SpanTemplates {
  readonly #all: (Template | null)[] = new Array<Template | null>(slots).fill(null);
  /** By place: what was wanted last and is not known. */
  readonly #wanted = new Int32Array(slots);

  /** Writes a usual hop with room for its opening. False: nothing like it is known, and nothing was written. */
  write(to: ProtoWriter, hop: Hop): boolean {
    const { facts, trace } = hop;
    const known = this.#all[placeOf(hashOf(facts))] as Template | null;
    if (known === null || !fits(known, hop)) return false;
    const start = to.length;
    to.raw(known.head, 0, known.head.length);
    if (!to.asciiAt(start + known.requestIdAt, facts.requestId)) {
      to.reset(start);
      return false;
    }
    to.hexAt(start + idsAt.trace, trace.traceId);
    to.hexAt(start + idsAt.span, trace.spanId);
    if (known.hasParent) to.hexAt(start + idsAt.parent, trace.parentId);
    to.timeAt(start + known.startTimeAt, hop.startMs);
    to.timeAt(start + known.startTimeAt + timeBytes, hop.endMs);
    writeFigures(to, known, facts);
    const tailStart = to.length;
    to.raw(known.tail, 0, known.tail.length);
    to.timeAt(tailStart + eventTimeAt, hop.startMs + (hop.firstByteMs ?? 0));
    return true;
  }

  /** Whether a usual hop that is not known is to be learned: the one before it at its place was like it. */
  wants({ facts }: Hop): boolean {
    const hash = hashOf(facts);
    const place = placeOf(hash);
    const before = this.#wanted[place];
    this.#wanted[place] = hash;
    return before === hash;
  }

  /** `hop` was written from `start` on, with room for its opening, and its parts stand there. */
  learn(from: ProtoWriter, { facts, trace }: Hop, start: number, marks: SpanMarks): void {
    const { bytes, length } = from;
    const hasParent = trace.parentId !== "";
    const nameAt = start + (hasParent ? afterIds.withParent : afterIds.alone);
    // A name that long takes more before it: nobody has one.
    const nameLength = bytes[nameAt + 1] as number;
    const timeAt = nameAt + 2 + nameLength + 2;
    if (nameLength > 0x7f || length - start > templateBytesMax || !isAscii(facts.requestId)) return;
    this.#all[placeOf(hashOf(facts))] = {
      // A copy: a record may go on to be something else.
      facts: { ...facts },
      hasParent,
      head: bytes.slice(start, marks.figuresStart),
      startTimeAt: timeAt + 1 - start,
      requestIdAt: marks.requestIdEnd - facts.requestId.length - start,
      figures: bytes.slice(marks.figuresStart, marks.figuresEnd),
      bytesIn: facts.bytesIn,
      bytesOut: facts.bytesOut,
      tail: bytes.slice(marks.figuresEnd, length),
    };
  }
}

function fits({ facts, hasParent }: Template, hop: Hop): boolean {
  return (
    hasParent === (hop.trace.parentId !== "") &&
    facts.requestId.length === hop.facts.requestId.length &&
    sameUsual(facts, hop.facts)
  );
}

function writeFigures(to: ProtoWriter, known: Template, { bytesIn, bytesOut }: HopFacts): void {
  if (known.bytesIn === bytesIn && known.bytesOut === bytesOut)
    return to.raw(known.figures, 0, known.figures.length);
  const start = to.length;
  const fields = new AttributeFields(to, attributesField);
  fields.figure(ownNames.bytesIn, bytesIn);
  fields.figure(ownNames.bytesOut, bytesOut);
  known.figures = to.bytes.slice(start, to.length);
  known.bytesIn = bytesIn;
  known.bytesOut = bytesOut;
}

function isAscii(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 0x7f) return false;
  return true;
}

function placeOf(hash: number): number {
  return (hash ^ (hash >>> 8) ^ (hash >>> 16)) & (slots - 1);
}

/** Of what tells hops of one machine apart: path, endpoint, status and direction. */
function hashOf({ path, endpoint, status, direction }: HopFacts): number {
  let hash = status * 2 + (direction === "inbound" ? 1 : 0);
  for (let at = 0; at < path.length; at++) hash = (Math.imul(hash, 31) + path.charCodeAt(at)) | 0;
  for (let at = 0; at < endpoint.length; at++) hash = (Math.imul(hash, 31) + endpoint.charCodeAt(at)) | 0;
  return hash;
}
