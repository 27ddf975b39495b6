/** Connections that end before their first bytes decide anything. */
import { expect, test } from "bun:test";
import { Shard } from "../../../../src/http/shard.ts";
import { FirstBytes } from "../../../../src/proxy/accept/first_bytes.ts";
import type { Socket } from "../../../../runtime/contract.ts";
import { runtime } from "../../../support/runtime_under_test.ts";

function ended(decide: (over: string | null) => boolean): { resets: number; asked: (string | null)[] } {
  const seen = { resets: 0, asked: [] as (string | null)[] };
  const socket = { reset: () => void seen.resets++, destroy() {} } as unknown as Socket;
  const first = new FirstBytes(socket, {
    shard: new Shard(runtime.clock),
    withinMs: 1_000,
    onLimit: () => {},
    decide: (_, over) => {
      seen.asked.push(over);
      return decide(over);
    },
  });
  socket.handler = first;
  first.end();
  return seen;
}

test("a client that leaves without a byte is asked about once, also when nobody else takes the socket over", () => {
  expect(ended(() => true)).toEqual({ resets: 0, asked: ["end"] });
});

test("a connection that nobody wants is reset", () => {
  expect(ended(() => false)).toEqual({ resets: 1, asked: ["end"] });
});
