/**
 * Requests that their client never ends, however they are answered: each costs an answer and a reset. A client that goes on
 * like this is ended at every door; one that stops its requests when it hears of their end may go on for ever.
 */
import { afterEach, describe, expect, test } from "bun:test";
import { createRuntime } from "../../../runtime/bun/runtime.ts";
import type { ServerExchange } from "../../../src/http/exchange.ts";
import { limits } from "../../../src/model/limits.ts";
import { noEdits } from "../../../src/wire/fields.ts";
import { errorCodes, frameTypes } from "../../../src/wire/h2/frames.ts";
import { profiles } from "../../../src/wire/h2/settings.ts";
import { concat, data, frame, getFields, headers, number32, opening } from "../../support/h2_frames.ts";
import { dialPeer, type H2Peer } from "../../support/h2_peer.ts";
import { serve } from "../../support/http_relay.ts";

const runtime = createRuntime();
const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

const post = [[":method", "POST"] as const, ...getFields.slice(1)];
const batch = 100;
const cancel = number32(errorCodes.cancel);

function refuse(exchange: ServerExchange): void {
  exchange.respond(503, null, noEdits, 0);
  exchange.end(null);
}

function streamsOf(round: number): number[] {
  return Array.from({ length: batch }, (_, at) => 2 * (round * batch + at) + 1);
}

/** Opens requests by the batch, waits for their answers, and says `word` to each. Resolves to how many were answered. */
async function keepOpening(peer: H2Peer, rounds: number, word: ((id: number) => Uint8Array) | null) {
  let answered = 0;
  peer.send(opening);
  for (let round = 0; round < rounds && !peer.closed && peer.goaway === null; round++) {
    const ids = streamsOf(round);
    peer.received = new Uint8Array(0);
    peer.send(...ids.map((id) => headers(id, post, false)));
    const told = (each: H2Peer): boolean => each.of(frameTypes.headers).length === batch;
    await peer.until((each) => told(each) || each.goaway !== null || each.closed, "a batch is answered");
    answered += peer.of(frameTypes.headers).length;
    if (word !== null) peer.send(concat(...ids.map(word)));
  }
  return answered;
}

async function connect(door: "local" | "mesh") {
  const tripped: string[] = [];
  const server = serve(runtime, refuse, { profile: profiles[door], limits: tripped });
  const peer = await dialPeer(runtime, server.port);
  ends.push(() => {
    server.close();
    peer.socket.destroy();
  });
  return { peer, tripped };
}

const rounds = (2 * limits.h2UnfinishedMax) / batch;

describe.each(["local", "mesh"] as const)("at the %s door", (door) => {
  test("a client that never ends its requests is ended after a bounded number of answers", async () => {
    const { peer, tripped } = await connect(door);
    const answered = await keepOpening(peer, rounds, null);
    expect([peer.goaway, tripped]).toEqual([errorCodes.enhanceYourCalm, ["h2UnfinishedMax"]]);
    expect(answered).toBeLessThan(1.5 * limits.h2UnfinishedMax);
  });

  test("a client that resets what it hears the end of goes on", async () => {
    const { peer, tripped } = await connect(door);
    const answered = await keepOpening(peer, rounds, (id) => frame(frameTypes.rstStream, 0, id, cancel));
    expect([peer.goaway, tripped, answered]).toEqual([null, [], rounds * batch]);
  });

  test("a client whose bodies were under way when it was answered goes on", async () => {
    const { peer, tripped } = await connect(door);
    const answered = await keepOpening(peer, rounds, (id) => data(id, "x"));
    expect([peer.goaway, tripped, answered]).toEqual([null, [], rounds * batch]);
  });
});
