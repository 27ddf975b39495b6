/** What a proxy remembers of requests that ended. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { limits } from "../../../src/model/limits.ts";
import type { TraceRef } from "../../../src/model/trace_ref.ts";
import { EvidenceRing } from "../../../src/telemetry/evidence_ring.ts";
import type { ExchangeRecord } from "../../../src/telemetry/record.ts";
import { processorClock } from "../../support/processor_time.ts";
import { exchangeRecord } from "../../support/records.ts";

const eventful = (change: Partial<ExchangeRecord> = {}): ExchangeRecord =>
  exchangeRecord({
    requestId: "abc-1",
    status: 503,
    outcome: {
      flag: "UF",
      side: "upstream",
      repeat: "no",
      status: 503,
      detail: "no connection to 例 \u001b[2J",
    },
    attempts: [
      { endpoint: "vm-2/orders.default/8080", ms: 1.25, result: "UF" },
      { endpoint: "vm-3/orders.default/8080", ms: 0.5, result: "UF" },
    ],
    noRetry: "attempts",
    ejected: "connect",
    policies: [
      {
        ...{ name: "limits", hash: "ab12", hook: "onRequest", action: "error", failure: "throw" },
        ...{ said: "", reason: "limits.ts:3:1: nö", us: 42 },
      },
    ],
    access: { verdict: "would-deny", rule: "orders#deny[0]" },
    bytesIn: 2 ** 40,
    ...change,
  });

const refOf = (traceId: string | null): TraceRef | null =>
  traceId === null
    ? null
    : { traceId, spanId: "00f067aa0ba902b7", parentId: "", sampled: false, random: true, state: "" };

describe("a request that ended", () => {
  test("is found by its id with all that was recorded, whatever its record became meanwhile", () => {
    const ring = new EvidenceRing();
    const record = eventful();
    ring.add(record, 1_007.5);
    ring.add(exchangeRecord({ requestId: "abc-12" }), 1_009);
    const {
      older: _,
      newer: __,
      keep: ____,
      keepLine: _____,
      attempt: ______,
      zone: _______,
      inference: ________,
      outcome,
      firstByteMs: ___,
      policies,
      ...plain
    } = record;
    Object.assign(record, { path: "/other", attempts: [], status: 1 });
    expect(ring.find("abc-1")).toEqual([
      {
        ...plain,
        durationMs: 7.5,
        firstByteMs: 2,
        outcome: { flag: "UF", side: "upstream", detail: outcome?.detail as string },
        policies: policies as never,
      },
    ]);
    expect(ring.find("abc")).toEqual([]);
  });

  test("keeps every attempt that a document may ask for, and one beside them", () => {
    const ring = new EvidenceRing();
    const attempts = Array.from({ length: limits.retriesMax + 2 }, (_, at) => ({
      ...{ endpoint: `vm-${at}/orders.default/8080`, ms: at, result: "UT" },
    }));
    ring.add(eventful({ attempts }), 1_009);
    expect(ring.find("abc-1")[0]?.attempts).toEqual(attempts);
    const beyond = Array.from({ length: 3 * limits.evidenceAttemptsMax }, () => attempts[0] as never);
    ring.add(eventful({ requestId: "abc-2", attempts: beyond }), 1_009);
    expect(ring.find("abc-2")[0]?.attempts.length).toBe(limits.evidenceAttemptsMax);
  });

  test("is found by its trace too, and another trace with the same end is not", () => {
    const ring = new EvidenceRing();
    const ref = (traceId: string) => ({
      ...{ traceId, spanId: "00f067aa0ba902b7", parentId: "", sampled: false, random: true },
      state: "a=1 2,b=3",
    });
    const [one, other] = ["4bf92f3577b34da6a3ce929d0e0e4736", "0bf92f3577b34da6a3ce929d0e0e4736"];
    for (const traceId of [one, other, one]) ring.add(exchangeRecord({ trace: ref(traceId) }), 1_000);
    ring.add(exchangeRecord(), 1_000);
    expect(ring.findTrace(one).map(({ trace }) => trace)).toEqual([ref(one), ref(one)]);
    expect(ring.findTrace("00000000000000000000000000000000")).toEqual([]);
  });

  test("is found by its trace as long as it is remembered, wherever the ring stands and whatever ids look like", () => {
    // Few ids that meet in few buckets, and requests without one.
    const ids = fc.constantFrom(
      ...[1, 2, 17, 33, 2 ** 31 + 1].map((id) => id.toString(16).padStart(32, "0")),
    );
    fc.assert(
      fc.property(fc.array(fc.option(ids), { maxLength: 60 }), (traces) => {
        const ring = new EvidenceRing(16);
        traces.forEach((traceId, at) =>
          ring.add(exchangeRecord({ requestId: `r${at}`, trace: refOf(traceId) }), 1),
        );
        const kept = traces.map((traceId, at) => ({ traceId, requestId: `r${at}` })).slice(-16);
        for (const traceId of new Set(traces.filter((each) => each !== null)))
          expect(ring.findTrace(traceId).map(({ requestId }) => requestId)).toEqual(
            kept.filter((each) => each.traceId === traceId).map(({ requestId }) => requestId),
          );
      }),
    );
  });

  test("is forgotten once there were so many after it, and no sooner", () => {
    const ring = new EvidenceRing(100);
    for (let count = 0; count < 250; count++) ring.add(exchangeRecord({ requestId: `r-${count}` }), 2_000);
    expect(ring.find("r-149")).toEqual([]);
    for (let count = 150; count < 250; count++) expect(ring.find(`r-${count}`).length).toBe(1);
  });

  test("is remembered whole or not at all when records are large", () => {
    const ring = new EvidenceRing(1_000, 64 * 1_024);
    const path = `/${"x".repeat(60_000)}`;
    for (let count = 0; count < 500; count++) ring.add(eventful({ requestId: `r-${count}`, path }), 2_000);
    const kept = Array.from({ length: 500 }, (_, count) => ring.find(`r-${count}`)).flat();
    expect(kept.length).toBeGreaterThan(20);
    for (const each of kept) {
      expect(each.path).toBe(path.slice(0, limits.evidenceTextLengthMax));
      expect(each.attempts.length).toBe(2);
    }
  });

  test("is remembered whoever makes up names", () => {
    const ring = new EvidenceRing();
    for (let count = 0; count < 20_000; count++)
      ring.add(
        exchangeRecord({ requestId: `r-${count}`, endpoint: `vm-${count}`, route: "y".repeat(5_000) }),
        2_000,
      );
    expect(ring.find("r-19999")).toMatchObject([{ endpoint: "vm-19999", service: "orders.default" }]);
    expect(ring.find("r-10000")).toEqual([]);
  });
});

test("remembering a request costs little", () => {
  const ring = new EvidenceRing();
  const records = Array.from({ length: 1_000 }, (_, at) =>
    exchangeRecord({ requestId: `0123456789abcdef-${at}`, path: `/v1/orders/${at}/items` }),
  );
  const rounds = 100;
  const spentMs = processorClock();
  for (let round = 0; round < rounds; round++) for (const record of records) ring.add(record, 2_000);
  expect((spentMs() * 1_000) / (rounds * records.length)).toBeLessThan(2);
});

test("to ask for the rest of a trace costs no look at all that is remembered, as each failure of a storm does", () => {
  const asked = 2_000;
  const traceOf = (at: number): string =>
    Math.imul(at, 0x9e37_79b1).toString(16).replace("-", "").padStart(32, "a");
  const costOf = (size: number): number => {
    const ring = new EvidenceRing(size);
    for (let at = 0; at < size; at++) ring.add(exchangeRecord({ trace: refOf(traceOf(at)) }), 1);
    const ask = (): void => {
      for (let at = 0; at < asked; at++) ring.findTrace(traceOf(size + at));
    };
    ask();
    const spentMs = processorClock();
    for (let round = 0; round < 10; round++) ask();
    return spentMs();
  };
  // A hundred times as much is remembered. The rest is for what a clock of whole milliseconds and caches do.
  expect(costOf(10_000)).toBeLessThan(10 * costOf(100) + 20);
});
