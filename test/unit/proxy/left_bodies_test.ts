/** Bodies that policies wanted to see, of requests that were over before they were whole: what still comes counts for nothing. */
import { expect, test } from "bun:test";
import { Buffered } from "../../../src/http/buffered.ts";
import type { ServerExchange } from "../../../src/http/exchange.ts";
import { HeldBody } from "../../../src/proxy/attempt/held_body.ts";
import { RequestBody } from "../../../src/proxy/attempt/request_body.ts";

const bytes = new Uint8Array(100);

test("at the caller's side", () => {
  const buffered = new Buffered({ nowMs: () => 0 });
  const request = { expectContinue: false };
  const exchange = { request, accept() {}, resume() {}, pause() {} } as unknown as ServerExchange;
  const body = new RequestBody(exchange, { aborted() {} }, buffered, true);
  const told: unknown[] = [];
  body.hold(1_000, (whole) => told.push(whole));
  body.data(bytes, 0, 100);
  expect(buffered.bytes).toBeGreaterThanOrEqual(100);
  body.close();
  body.data(bytes, 0, 100);
  body.end(null);
  expect([buffered.bytes, told]).toEqual([0, []]);
});

test("at the server's side", () => {
  const buffered = new Buffered({ nowMs: () => 0 });
  const told: unknown[] = [];
  const body = new HeldBody(buffered, 1_000, (whole) => told.push(whole));
  body.data(bytes, 0, 100);
  expect(buffered.bytes).toBeGreaterThanOrEqual(100);
  body.close();
  body.data(bytes, 0, 100);
  body.end(null);
  expect([buffered.bytes, told]).toEqual([0, []]);
});
