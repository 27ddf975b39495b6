/** What waits to be sent to a receiver of OTLP: batches, retries, bounds. */
import { describe, expect, test } from "bun:test";
import { limits } from "../../../src/model/limits.ts";
import { ExportQueue, type OtlpAnswer } from "../../../src/telemetry/otlp/export_queue.ts";
import { ManualClock } from "../../support/clock.ts";

const good: OtlpAnswer = { status: 200, retryAfterMs: null, contentType: "", body: new Uint8Array(0) };

class Receiving {
  readonly clock = new ManualClock();
  readonly batches: number[][] = [];
  readonly counted: [string, number][] = [];
  readonly said: string[] = [];
  readonly gone: number[] = [];
  answer: OtlpAnswer | Error = good;
  rejects = 0;
  readonly queue = new ExportQueue<number>({
    clock: this.clock,
    send: async (body) => {
      this.batches.push(JSON.parse(new TextDecoder().decode(body)));
      if (this.answer instanceof Error) throw this.answer;
      return this.answer;
    },
    encode: (items) => new TextEncoder().encode(JSON.stringify(items)),
    rejected: () => ({ count: this.rejects, reason: "too old" }),
    contentType: "application/json",
    counts: {
      sent: (count) => void this.counted.push(["sent", count]),
      dropped: (reason, count) => void this.counted.push([reason, count]),
    },
    log: (text) => void this.said.push(text),
    gone: (item) => void this.gone.push(item),
    queueMax: 4,
    batchMax: 2,
    delayMs: 1_000,
    unit: () => 1,
  });
}

const later = (status: number, retryAfterMs: number | null = null): OtlpAnswer => ({
  ...good,
  status,
  retryAfterMs,
});

describe("what is sent out", () => {
  test("waits for a moment, or until a batch is full", async () => {
    const { queue, clock, batches } = new Receiving();
    queue.add(1);
    await clock.advance(999);
    expect(batches).toEqual([]);
    await clock.advance(1);
    expect(batches).toEqual([[1]]);
    for (const item of [2, 3, 4]) queue.add(item);
    await clock.advance(0);
    expect(batches).toEqual([[1], [2, 3]]);
    await clock.advance(1_000);
    expect(batches).toEqual([[1], [2, 3], [4]]);
  });

  test("is told of when it waits no more, sent or dropped, each thing once", async () => {
    const { clock, queue, gone, batches } = new Receiving();
    for (const item of [1, 2, 3, 4, 5]) queue.add(item);
    expect(gone).toEqual([1]);
    await clock.advance(1_000);
    expect(gone).toEqual([1, 2, 3, 4, 5]);
    expect(batches.flat()).toEqual([2, 3, 4, 5]);
  });

  test("is bounded: the oldest goes, and is counted", async () => {
    const receiving = new Receiving();
    receiving.answer = later(503);
    for (let item = 0; item < 7; item++) receiving.queue.add(item);
    expect(receiving.queue.size).toBe(4);
    expect(receiving.counted).toEqual([
      ["full", 1],
      ["full", 1],
      ["full", 1],
    ]);
  });

  test("comes again when the receiver says later, after what it asks for, and is told once", async () => {
    const receiving = new Receiving();
    const { queue, clock, batches, said, counted } = receiving;
    receiving.answer = later(429, 5_000);
    queue.add(1);
    await clock.advance(1_000);
    await clock.advance(4_999);
    expect(batches.length).toBe(1);
    await clock.advance(1);
    expect(batches.length).toBe(2);
    receiving.answer = good;
    await clock.advance(5_000);
    expect(batches).toEqual([[1], [1], [1]]);
    expect(said).toEqual(["cannot be sent now: the receiver answers 429", "are sent again"]);
    expect(counted).toEqual([["sent", 1]]);
  });

  test("keeps a floor of its own where the receiver asks for none, and pauses ever longer", async () => {
    const receiving = new Receiving();
    const { queue, clock, batches } = receiving;
    receiving.answer = later(503, 0);
    queue.add(1);
    const triedMs: number[] = [];
    for (let ms = 0; ms < 10_000; ms += 100) {
      await clock.advance(100);
      if (batches.length > triedMs.length) triedMs.push(clock.now());
    }
    expect(triedMs).toEqual([1_000, 2_000, 4_000, 8_000]);
  });

  test("is dropped when it could not be sent for long, and what came later goes on", async () => {
    const receiving = new Receiving();
    const { queue, clock, counted } = receiving;
    receiving.answer = new Error("nobody listens");
    queue.add(1);
    await clock.advance(1_000);
    for (let ms = 0; ms < limits.exportRetryMaxMs + limits.exportRetryAfterMaxMs; ms += 1_000)
      await clock.advance(1_000);
    expect(counted).toEqual([["late", 1]]);
    receiving.answer = good;
    queue.add(2);
    await clock.advance(1_000);
    expect(counted.at(-1)).toEqual(["sent", 1]);
  });

  test("is counted as refused where the receiver does not take it, in whole or in part", async () => {
    const receiving = new Receiving();
    const { queue, clock, counted, said } = receiving;
    receiving.answer = later(400);
    queue.add(1);
    await clock.advance(1_000);
    receiving.answer = good;
    receiving.rejects = 1;
    queue.add(2);
    queue.add(3);
    await clock.advance(0);
    expect(counted).toEqual([
      ["refused", 1],
      ["sent", 1],
      ["refused", 1],
    ]);
    expect(said).toEqual(["are lost: the receiver answers 400", "are rejected in part: too old"]);
  });

  test("is not taken for sent by a page that is no receiver", async () => {
    const receiving = new Receiving();
    const page = new TextEncoder().encode("<html>");
    receiving.answer = { ...good, contentType: "text/html", body: page };
    receiving.queue.add(1);
    await receiving.clock.advance(1_000);
    expect(receiving.counted).toEqual([["refused", 1]]);
    expect(receiving.said).toEqual(["are lost: the receiver answers text/html, not application/json"]);
  });

  test("goes out at the end, for as long as that may take", async () => {
    const receiving = new Receiving();
    for (const item of [1, 2, 3]) receiving.queue.add(item);
    await receiving.queue.close(1_000);
    expect(receiving.batches).toEqual([[1, 2], [3]]);
    receiving.queue.add(4);
    expect(receiving.queue.size).toBe(0);
  });

  test("goes out at the end also while a batch is under way", async () => {
    const receiving = new Receiving();
    const { queue, clock, batches } = receiving;
    for (const item of [1, 2, 3]) queue.add(item);
    const advanced = clock.advance(0);
    await queue.close(1_000);
    await advanced;
    expect(batches).toEqual([[1, 2], [3]]);
  });
});
