/** What an HTTP/1 client is told when it is answered before its request body is whole: the next request needs another connection. */
import { expect, test } from "bun:test";
import type { ServerExchange } from "../../../src/http/exchange.ts";
import { Http1Server } from "../../../src/http/h1_server.ts";
import { Shard } from "../../../src/http/shard.ts";
import { noEdits } from "../../../src/wire/fields.ts";
import { ManualClock } from "../../support/clock.ts";
import { FakeSocket } from "../../support/fake_socket.ts";

const body = new TextEncoder().encode("no");

/** What leaves when the handler answers a request with five bytes of body at once, or once `rest` has come. */
function answered(status: number, rest: string | null): { text: string; ends: readonly string[] } {
  const socket = new FakeSocket();
  const waiting: ServerExchange[] = [];
  const connection = {
    remoteAddress: "127.0.0.1",
    remotePort: 1,
    localPort: 2,
    peer: null,
    serverName: "",
  };
  const answer = (exchange: ServerExchange): void => {
    exchange.respond(status, null, noEdits, body.length);
    exchange.write(body);
    exchange.end(null);
  };
  const handler = (exchange: ServerExchange): void => {
    if (rest === null) return answer(exchange);
    waiting.push(exchange);
    exchange.accept({ data() {}, end() {}, aborted() {}, writable() {} });
  };
  const server = new Http1Server(socket, { shard: new Shard(new ManualClock()), connection, handler });
  const head = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n";
  server.data(Buffer.from(`${head}ab${rest ?? ""}`));
  for (const exchange of waiting) {
    server.shard.enter();
    answer(exchange);
    server.shard.leave();
  }
  return { text: Buffer.from(socket.written).toString("latin1"), ends: socket.ends };
}

test("a client that is refused inside its body is told that the connection ends", () => {
  const { text, ends } = answered(403, null);
  expect(text).toContain("\r\nconnection: close\r\n");
  expect(ends).toEqual(["shutdown"]);
});

test("a client that is refused behind its body goes on", () => {
  const { text, ends } = answered(403, "cde");
  expect(text).not.toContain("connection: close");
  expect(ends).toEqual([]);
});
