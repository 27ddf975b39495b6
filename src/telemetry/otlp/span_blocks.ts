/**
 * Memory for spans that wait as bytes: many share a block, so that each costs no object of the host's, and a block whose spans are all
 * gone is written anew, so that a machine that traces much asks for no memory all the time.
 */
import { ProtoWriter } from "./proto_writer.ts";

const blockBytes = 128 * 1_024;
/** More than a span usually has. */
const spanBytes = 2_048;
/** Blocks that wait to be written anew; more are given back. */
const freeMax = 6;

export interface SpanBlock {
  readonly writer: ProtoWriter;
  /** Spans in it that somebody needs still. */
  waiting: number;
}

/** A span with what is before it where it stands among others. */
export class SpanBytes {
  constructor(
    readonly block: SpanBlock,
    readonly start: number,
    readonly end: number,
  ) {}
}

export class SpanBlocks {
  #current: SpanBlock = newBlock();
  readonly #free: SpanBlock[] = [];

  /** The block that the next span is written to. */
  next(): SpanBlock {
    const { writer } = this.#current;
    if (writer.length + spanBytes > writer.bytes.length) this.#current = this.#free.pop() ?? newBlock();
    return this.#current;
  }

  /** One span less is needed of it. */
  release(block: SpanBlock): void {
    if (--block.waiting > 0 || block === this.#current) return;
    // One that had to grow for a long span is not kept.
    if (this.#free.length >= freeMax || block.writer.bytes.length > blockBytes) return;
    block.writer.reset();
    this.#free.push(block);
  }
}

function newBlock(): SpanBlock {
  return { writer: new ProtoWriter(blockBytes), waiting: 0 };
}
