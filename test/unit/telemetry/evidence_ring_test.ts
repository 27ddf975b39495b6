/** What a proxy remembers of requests that ended. */
import { describe, expect, test } from "bun:test";
import { limits } from "../../../src/model/limits.ts";
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
