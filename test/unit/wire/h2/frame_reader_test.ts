import { expect, test } from "bun:test";
import fc from "fast-check";
import { FrameReader, wants, type FrameTaker, type Wants } from "../../../../src/wire/h2/frame_reader.ts";
import { frameTypes } from "../../../../src/wire/h2/frames.ts";
import { concat, frame } from "../../../support/h2_frames.ts";

/** Notes what it hears so that pieces of DATA make no difference. */
class Notes implements FrameTaker {
  readonly heard: string[] = [];
  stopAt = Number.POSITIVE_INFINITY;
  #data = "";
  #flow = 0;

  begins(type: number, flags: number, streamId: number, length: number): Wants {
    this.heard.push(`begins ${type} ${flags} ${streamId} ${length}`);
    if (this.heard.length >= this.stopAt) return wants.nothingMore;
    return type > frameTypes.continuation ? wants.skipped : wants.whole;
  }

  body(
    streamId: number,
    source: Uint8Array,
    start: number,
    end: number,
    flowBytes: number,
    done: boolean,
    endStream: boolean,
  ): void {
    this.#data += Buffer.from(source.subarray(start, end)).toString("hex");
    this.#flow += flowBytes;
    if (!done) return;
    this.heard.push(`data ${streamId} ${this.#data} ${this.#flow} ${endStream}`);
    this.#data = "";
    this.#flow = 0;
  }

  frame(type: number, flags: number, streamId: number, source: Uint8Array, start: number, end: number): void {
    this.heard.push(
      `frame ${type} ${flags} ${streamId} ${Buffer.from(source.subarray(start, end)).toString("hex")}`,
    );
  }

  overpadded(): void {
    this.heard.push("overpadded");
    this.reader.stopped = true;
  }

  readonly reader = new FrameReader(this);
}

const anyFrame = fc
  .tuple(fc.nat(12), fc.nat(255), fc.nat(9), fc.uint8Array({ maxLength: 40 }))
  .map(([type, flags, streamId, payload]) => frame(type, flags, streamId, payload));

function read(bytes: Uint8Array, cuts: readonly number[], framesMax: number, stopAt: number): string[] {
  const notes = new Notes();
  notes.stopAt = stopAt;
  const edges = [...new Set([0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])];
  edges.sort((one, other) => one - other);
  for (let at = 1; at < edges.length; at++) {
    const piece = bytes.slice(edges[at - 1], edges[at]);
    let used = 0;
    while (used < piece.length) used = notes.reader.read(piece, used, piece.length, framesMax);
    // Nothing may be kept of what was given.
    piece.fill(0xee);
  }
  return notes.heard;
}

test("any split of any frames is heard alike, and nothing is kept of the bytes", () => {
  const cuts = fc.array(fc.nat(2_000), { maxLength: 30 });
  const stop = fc.oneof(fc.constant(Number.POSITIVE_INFINITY), fc.integer({ min: 1, max: 10 }));
  fc.assert(
    fc.property(
      fc.array(anyFrame, { minLength: 1, maxLength: 12 }),
      cuts,
      fc.integer({ min: 1, max: 4 }),
      stop,
      (frames, at, framesMax, stopAt) => {
        const bytes = concat(...frames);
        const whole = read(bytes, [], 1_000, stopAt);
        expect(read(bytes, at, framesMax, stopAt)).toEqual(whole);
        const single = Array.from({ length: bytes.length }, (_, index) => index);
        expect(read(bytes, single, 1, stopAt)).toEqual(whole);
      },
    ),
  );
});

test("padding is taken off DATA and counted for flow control", () => {
  const padded = frame(frameTypes.data, 9, 1, Uint8Array.of(2, 0xaa, 0xbb, 0, 0));
  expect(read(padded, [], 10, 99)).toEqual(["begins 0 9 1 5", "data 1 aabb 5 true"]);
  expect(read(frame(frameTypes.data, 8, 1, Uint8Array.of(5, 1)), [], 10, 99)).toContain("overpadded");
  expect(read(frame(frameTypes.data, 8, 1), [], 10, 99)).toContain("overpadded");
});
