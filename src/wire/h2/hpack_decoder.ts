/**
 * HPACK decoding (RFC 7541): header blocks in, fields written straight into the head they belong to. A fault here breaks the
 * connection, since both sides share the table; what is wrong with a single field is the head's business.
 */
import { copyBytes } from "../../base/bytes.ts";
import { classifyName, FieldLine, isSoundValue } from "./field_line.ts";
import type { HeadBlock } from "./head_block.ts";
import { HpackTable, staticFields } from "./hpack_table.ts";
import { LiteralCache } from "./literal_cache.ts";
import { decodedBytesMax, huffmanDecode } from "./huffman.ts";
import { RepeatedBlocks } from "./repeated_blocks.ts";

/** An integer beyond this is no length or index of ours (RFC 7541 section 5.1 lets a decoder choose). */
const integerMax = 0x0fff_ffff;

/** Of all connections: a literal means the same on each. */
const literals = new LiteralCache();

export class HpackDecoder {
  readonly #table: HpackTable;
  readonly #repeated = new RepeatedBlocks();
  /** Behind what was read last. */
  #next = 0;
  #broken = false;
  /** The line that the last literal put into the table. */
  #added: FieldLine | null = null;

  /** `tableBytesMax`: SETTINGS_HEADER_TABLE_SIZE as this side announced it. */
  constructor(readonly tableBytesMax: number) {
    this.#table = new HpackTable(tableBytesMax);
  }

  /**
   * Decodes a whole block into `block`, which has begun; its fields are interned fields when all of them have come before. False: no
   * further block can be decoded, because this one is excessive, else by a COMPRESSION_ERROR.
   */
  decode(source: Uint8Array, start: number, end: number, block: HeadBlock): boolean {
    const repeated = this.#repeated;
    const { kind } = block;
    if (kind === "trailers") return this.#fields(source, start, end, true, block);
    const { changes } = this.#table;
    const known = repeated.find(source, start, end, kind, changes);
    if (known !== null) {
      const behind = start + known.coded.length;
      block.goOnFrom(known.state, behind === end);
      return behind === end || this.#fields(source, behind, end, false, block);
    }
    if (!repeated.wantsToLearn(end - start)) return this.#fields(source, start, end, true, block);
    return this.#learn(source, start, end, block);
  }

  /** Decodes a block and notes how far it is the one before. */
  #learn(source: Uint8Array, start: number, end: number, block: HeadBlock): boolean {
    const repeated = this.#repeated;
    const { changes } = this.#table;
    const common = start + repeated.compare(source, start, end);
    let at = start;
    let sizeMayChange = true;
    let behind = start;
    let index = 0;
    let marked = 0;
    while (at < end) {
      const byte = source[at] as number;
      at = this.#field(source, at, end, sizeMayChange, block);
      if (this.#broken || block.excessive) return false;
      if (byte < 0x20 || byte >= 0x40) sizeMayChange = false;
      index++;
      if (at > common) continue;
      block.mark(index);
      marked = index;
      behind = at;
    }
    if (this.#table.changes !== changes) repeated.forgetLast();
    else if (marked > 0) {
      const state = block.stateAt(marked);
      if (state !== null) repeated.learn(source, start, behind, state, changes);
    }
    return true;
  }

  #fields(source: Uint8Array, start: number, end: number, sizeMayChange: boolean, block: HeadBlock): boolean {
    let at = start;
    let first = sizeMayChange;
    while (at < end) {
      const byte = source[at] as number;
      at = this.#field(source, at, end, first, block);
      // Size updates stand before every field, and there may be two (RFC 7541 section 4.2).
      if (byte < 0x20 || byte >= 0x40) first = false;
      if (this.#broken || block.excessive) return false;
    }
    return true;
  }

  /** One representation. Returns the offset behind it. */
  #field(source: Uint8Array, at: number, end: number, sizeMayChange: boolean, block: HeadBlock): number {
    const byte = source[at] as number;
    if (byte >= 0x80) return this.#indexed(source, at, end, block);
    if (byte >= 0x40) return this.#keptLiteral(source, at, end, block);
    if (byte < 0x20) return this.#literal(source, at, end, 0x0f, false, block);
    const size = this.#integer(source, at, end, 0x1f);
    if (!sizeMayChange || size > this.tableBytesMax) return this.#break(end);
    this.#table.resize(size);
    return this.#next;
  }

  #indexed(source: Uint8Array, at: number, end: number, block: HeadBlock): number {
    const first = (source[at] as number) & 0x7f;
    let next = at + 1;
    let index = first;
    if (first === 0x7f) {
      index = this.#integer(source, at, end, 0x7f);
      next = this.#next;
    }
    const line = this.#table.at(index);
    if (line === null) this.#broken = true;
    else block.line(line);
    return next;
  }

  /** One that enters the table. */
  #keptLiteral(source: Uint8Array, at: number, end: number, block: HeadBlock): number {
    const behind = this.#extent(source, at, end);
    const known = behind < 0 ? null : literals.find(source, at, behind);
    if (known === null) {
      const next = this.#literal(source, at, end, 0x3f, true, block);
      const added = behind < 0 || this.#broken ? null : this.#added;
      if (added !== null) literals.keep(source, at, behind, added);
      return next;
    }
    this.#table.add(known);
    block.line(known);
    return behind;
  }

  /** Where a literal with short lengths and a name of its own or of the static table ends; -1 for any other. */
  #extent(source: Uint8Array, at: number, end: number): number {
    const index = (source[at] as number) & 0x3f;
    if (index > staticFields.length) return -1;
    let next = at + 1;
    for (let strings = index === 0 ? 2 : 1; strings > 0; strings--) {
      if (next >= end) return -1;
      const length = (source[next] as number) & 0x7f;
      if (length === 0x7f) return -1;
      next += 1 + length;
    }
    return next <= end ? next : -1;
  }

  #literal(
    source: Uint8Array,
    at: number,
    end: number,
    prefix: number,
    kept: boolean,
    block: HeadBlock,
  ): number {
    const index = this.#integer(source, at, end, prefix);
    const start = block.used;
    let nameEnd: number;
    let kind: number;
    let id: number;
    if (index === 0) {
      nameEnd = this.#string(source, this.#next, end, block, start);
      if (this.#broken) return end;
      const name = classifyName(block.fields.bytes, start, nameEnd);
      kind = name & 0xff;
      id = name >> 8;
    } else {
      const line = this.#table.at(index);
      if (line === null || this.#broken) return this.#break(end);
      const { nameLength } = line;
      nameEnd = start + nameLength;
      block.reserve(nameEnd + 2);
      copyBytes(block.fields.bytes, start, line.bytes, 0, nameLength);
      kind = line.kind;
      id = line.id;
    }
    const valueStart = nameEnd + 2;
    const valueEnd = this.#string(source, this.#next, end, block, valueStart);
    if (this.#broken) return end;
    const { bytes } = block.fields;
    bytes[nameEnd] = 58;
    bytes[nameEnd + 1] = 32;
    bytes[valueEnd] = 13;
    bytes[valueEnd + 1] = 10;
    const sound = isSoundValue(bytes, valueStart, valueEnd);
    let line: FieldLine | null = null;
    if (kept) {
      line = new FieldLine(bytes.slice(start, valueEnd + 2), nameEnd - start, kind, id, sound);
      this.#added = line;
      this.#table.add(line);
    }
    block.take(kind, id, sound, nameEnd - start, valueEnd - valueStart, line);
    return this.#next;
  }

  /** Decodes a string literal to `to` in the block's bytes; returns the offset behind it there. */
  #string(source: Uint8Array, at: number, end: number, block: HeadBlock, to: number): number {
    if (at >= end) return this.#break(to);
    const coded = (source[at] as number) >= 0x80;
    const length = this.#integer(source, at, end, 0x7f);
    const start = this.#next;
    if (this.#broken || length > end - start) return this.#break(to);
    this.#next = start + length;
    if (!coded) {
      block.reserve(to + length + 2);
      copyBytes(block.fields.bytes, to, source, start, start + length);
      return to + length;
    }
    block.reserve(to + decodedBytesMax(length) + 2);
    const behind = huffmanDecode(source, start, start + length, block.fields.bytes, to);
    return behind < 0 ? this.#break(to) : behind;
  }

  /** An integer whose first byte has the bits of `prefix` for it (RFC 7541 section 5.1); `#next` is behind it. */
  #integer(source: Uint8Array, at: number, end: number, prefix: number): number {
    const first = (source[at] as number) & prefix;
    let next = at + 1;
    if (first < prefix) {
      this.#next = next;
      return first;
    }
    let value = prefix;
    for (let shift = 0; next < end && shift <= 28; shift += 7) {
      const byte = source[next++] as number;
      value += (byte & 0x7f) * 2 ** shift;
      if (value > integerMax) break;
      if (byte < 0x80) {
        this.#next = next;
        return value;
      }
    }
    this.#next = end;
    return this.#break(0);
  }

  #break(result: number): number {
    this.#broken = true;
    return result;
  }
}
