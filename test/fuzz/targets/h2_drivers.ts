/** The promises of test/fuzz/h2.ts as targets: frames from any split, a server and a client that are told any frames. */
import { framesIn } from "../../support/h2_frames.ts";
import { framesTarget, h2ClientTarget, h2ServerTarget } from "../h2.ts";
import { magnitude, type FuzzTarget } from "../target.ts";
import { connectionSeeds, http2Words } from "./h2_seeds.ts";

function target(name: string, bytesMax: number, check: (bytes: Uint8Array) => void): FuzzTarget {
  return {
    name,
    words: http2Words,
    bytesMax,
    inputMs: 200,
    seeds: () => connectionSeeds,
    check(input) {
      check(input);
      const frames = framesIn(input);
      const types = frames
        .slice(0, 4)
        .map((each) => (each.type > 9 ? "other" : `${each.type}/${each.flags & 0x2d}`));
      return `${magnitude(frames.length)} ${types.join()}`;
    },
  };
}

export const h2Frames = target("h2-frames", 20_000, framesTarget);
export const h2Server = target("h2-server", 20_000, h2ServerTarget);
export const h2Client = target("h2-client", 20_000, h2ClientTarget);
