/**
 * Whole HTTP/2 client connections through the server driver and the HTTP/1 client driver: whatever comes, the backend sees
 * well-formed requests only, and the client whole frames only.
 */
import { frameTypes } from "../../../src/wire/h2/frames.ts";
import { framesIn } from "../../support/h2_frames.ts";
import { bytesOf, piecesOf, textOf } from "../../support/wire.ts";
import { Relays } from "../relay.ts";
import { expectSound } from "../sound_request.ts";
import { magnitude, must, type FuzzTarget } from "../target.ts";
import { connectionSeeds, http2Words } from "./h2_seeds.ts";

const relays = new Relays();

export const h2Relay: FuzzTarget = {
  name: "h2-relay",
  words: http2Words,
  bytesMax: 8_000,
  inputMs: 100,
  seeds: () => connectionSeeds,
  check(input, random) {
    const text = textOf(input);
    const cuts = Array.from({ length: random.below(6) }, () => random.below(text.length + 1));
    const { requests, unread, heard, ended } = relays.fromHttp2Client(piecesOf(text, cuts).map(bytesOf));
    for (const request of requests) expectSound(request);
    must(unread === "", `the backend cannot read ${JSON.stringify(unread)}`);
    must(ended, "the connection outlives its client");
    const frames = framesIn(heard);
    const length = frames.reduce((sum, each) => sum + 9 + each.payload.length, 0);
    must(length === heard.length, `a part of a frame at ${length} of ${heard.length}`);
    const away = frames.filter((each) => each.type === frameTypes.goaway).map((each) => each.payload[7]);
    const resets = frames.filter((each) => each.type === frameTypes.rstStream).map((each) => each.payload[3]);
    return `${requests.length} ${away.join()} ${[...new Set(resets)].join()} ${magnitude(frames.length)}`;
  },
};
