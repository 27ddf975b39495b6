/** Where spans wait as bytes. */
import { expect, test } from "bun:test";
import { CallRecord } from "../../../src/proxy/record/call_record.ts";
import type { SpanBytes } from "../../../src/telemetry/otlp/span_blocks.ts";
import { SpanWriter } from "../../../src/telemetry/otlp/span_messages.ts";
import type { Hop } from "../../../src/telemetry/trace/span.ts";

function hop(at: number, pathLength = 10): Hop {
  const facts = Object.assign(new CallRecord("outbound", "http", 0), {
    ...{ service: "orders.default", method: "GET", path: `/${"x".repeat(pathLength)}`, status: 200 },
    requestId: `id-${String(at).padStart(8, "0")}`,
  });
  const ids = { traceId: at.toString(16).padStart(32, "0"), spanId: at.toString(16).padStart(16, "0") };
  const trace = { ...ids, parentId: "", sampled: true, random: true, state: "" };
  return { facts, trace, startMs: 1_000, endMs: 1_001, firstByteMs: 0.5 };
}

const text = ({ block, start, end }: SpanBytes): string =>
  Buffer.from(block.writer.bytes.subarray(start, end)).toString("latin1");

test("spans that wait stay as they are while others come and go", () => {
  const writer = new SpanWriter();
  const kept = Array.from({ length: 20 }, (_, at) => writer.write(hop(at)));
  const before = kept.map(text);
  for (let at = 100; at < 3_000; at++) writer.release(writer.write(hop(at)));
  expect(kept.map(text)).toEqual(before);
  expect(new Set(before).size).toBe(20);
});

test("memory of spans that are gone is written anew, and asked for no more", () => {
  const writer = new SpanWriter();
  const blocks = new Set<unknown>();
  const waiting: SpanBytes[] = [];
  for (let at = 0; at < 20_000; at++) {
    const span = writer.write(hop(at));
    blocks.add(span.block);
    waiting.push(span);
    if (waiting.length === 1_000) for (const each of waiting.splice(0)) writer.release(each);
  }
  expect(blocks.size).toBeLessThan(12);
});

test("a block that grew for a long span is not kept", () => {
  const writer = new SpanWriter();
  const long = writer.write(hop(1, 300_000));
  const filling: SpanBytes[] = [];
  while (filling.at(-1)?.block === long.block || filling.length === 0) filling.push(writer.write(hop(2)));
  for (const each of [long, ...filling]) writer.release(each);
  const later = Array.from({ length: 2_000 }, (_, at) => writer.write(hop(at)));
  expect(later.some(({ block }) => block === long.block)).toBe(false);
});
