/** Frames: the same frames and the same octets of DATA from any split. */
import { FrameReader, wants, type FrameTaker, type Wants } from "../../../src/wire/h2/frame_reader.ts";
import { frameTypes } from "../../../src/wire/h2/frames.ts";
import { piecesOf, textOf, bytesOf } from "../../support/wire.ts";
import { magnitude, mustEqual, type FuzzTarget } from "../target.ts";
import { connectionSeeds, http2Words } from "./h2_seeds.ts";

const frameBytesMax = 16_384;

class Notes implements FrameTaker {
  readonly reader = new FrameReader(this);
  readonly heard: string[] = [];
  #data = "";

  begins(type: number, flags: number, streamId: number, length: number): Wants {
    this.heard.push(`${type} ${flags} ${streamId} ${length}`);
    if (length > frameBytesMax) return wants.nothingMore;
    return type > frameTypes.continuation ? wants.skipped : wants.whole;
  }

  body(
    streamId: number,
    source: Uint8Array,
    start: number,
    end: number,
    flow: number,
    done: boolean,
    ends: boolean,
  ): void {
    this.#data += textOf(source.subarray(start, end));
    if (!done) return;
    this.heard.push(`data ${streamId} ${this.#data} ${ends}`);
    this.#data = "";
  }

  frame(type: number, flags: number, streamId: number, source: Uint8Array, start: number, end: number): void {
    this.heard.push(`frame ${type} ${flags} ${streamId} ${textOf(source.subarray(start, end))}`);
  }

  overpadded(): void {
    this.heard.push("overpadded");
    this.reader.stopped = true;
  }
}

function heard(pieces: readonly string[]): string[] {
  const notes = new Notes();
  for (const piece of pieces) {
    const bytes = bytesOf(piece);
    notes.reader.read(bytes, 0, bytes.length, Number.MAX_SAFE_INTEGER);
  }
  return notes.heard;
}

export const h2Frames: FuzzTarget = {
  name: "h2-frames",
  words: http2Words,
  bytesMax: 40_000,
  inputMs: 60,
  seeds: () => connectionSeeds,
  check(input, random) {
    const text = textOf(input);
    const whole = heard([text]);
    const cuts = Array.from({ length: 1 + random.below(6) }, () => random.below(text.length + 1));
    mustEqual(heard(piecesOf(text, cuts)).join("\n"), whole.join("\n"), "a split changes the frames");
    return `${magnitude(whole.length)} ${whole.at(-1)?.split(" ", 2).join(" ")}`;
  },
};
