/** What a proxy tells of requests as they end: those that fit, and no more than it was asked for. */
import { describe, expect, test } from "bun:test";
import type { TapFilter } from "../../../src/api/questions.ts";
import { tapAnswering } from "../../../src/app/tap_answer.ts";
import { limits } from "../../../src/model/limits.ts";
import type { TapLine } from "../../../src/model/evidence.ts";
import { AccessLog } from "../../../src/telemetry/access_log.ts";
import { Metrics } from "../../../src/telemetry/metrics.ts";
import { ProxyTelemetry } from "../../../src/telemetry/proxy_telemetry.ts";
import type { ExchangeRecord } from "../../../src/telemetry/record.ts";
import { ManualClock } from "../../support/clock.ts";
import { exchangeRecord } from "../../support/records.ts";

const all: TapFilter = {
  ...{ direction: null, service: null, from: null, to: null, method: null, path: null },
  ...{ status: null, slowerMs: null, flag: null },
};

class Tapped {
  readonly clock = new ManualClock();
  readonly lines: TapLine[] = [];
  lost = 0;
  readonly telemetry = new ProxyTelemetry(
    new Metrics(),
    new AccessLog({ sampleRatio: 0, slowMs: 1_000, write: () => {}, wallMs: () => 0 }),
  );

  begin(filter: Partial<TapFilter> = {}, perSecond = 100): () => void {
    const reply = {
      line: (line: unknown) => void this.lines.push(line as TapLine),
      lost: (count: number) => void (this.lost += count),
      end() {},
    };
    const question = { what: "tap" as const, filter: { ...all, ...filter }, perSecond };
    return tapAnswering(this.telemetry, this.clock)(question, reply) as () => void;
  }

  finish(change: Partial<ExchangeRecord> = {}): void {
    this.telemetry.finish(exchangeRecord(change), 1_010);
  }
}

const failed = { flag: "UF", side: "upstream", repeat: "yes", status: 503, detail: "no connection" } as const;

describe("a tap", () => {
  const cases: readonly [string, Partial<TapFilter>, Partial<ExchangeRecord>, Partial<ExchangeRecord>][] = [
    ["side", { direction: "inbound" }, { direction: "inbound" }, {}],
    ["caller", { from: "web.default" }, {}, { source: "batch.default" }],
    ["callee", { to: "orders.default" }, {}, { service: "db.default" }],
    ["either of both", { service: "web.default" }, {}, { source: "batch.default" }],
    ["method", { method: "POST" }, { method: "POST" }, {}],
    ["path", { path: "/v1" }, {}, { path: "/v1/x" }],
    ["paths below one", { path: "/v1/*" }, { path: "/v1/x" }, { path: "/v12" }],
    ["status", { status: [500, 599] }, { status: 503 }, { status: 499 }],
    ["time", { slowerMs: 10 }, {}, { startedMs: 1_001 }],
    ["flag", { flag: "UF" }, { outcome: failed }, { outcome: { ...failed, flag: "UC" } }],
    ["failure of any sort", { flag: "any" }, { outcome: failed }, {}],
  ];
  for (const [what, filter, fits, misses] of cases)
    test(`of one ${what} tells what fits and nothing else`, () => {
      const tapped = new Tapped();
      tapped.begin(filter);
      tapped.finish({ ...misses, requestId: "misses" });
      tapped.finish({ ...fits, requestId: "fits" });
      expect(tapped.lines.map(({ requestId }) => requestId)).toEqual(["fits"]);
    });

  test("tells so many in a second, says how many more there were, and goes on", async () => {
    const tapped = new Tapped();
    tapped.begin({}, 3);
    for (let count = 0; count < 10; count++) tapped.finish();
    expect([tapped.lines.length, tapped.lost]).toEqual([3, 0]);
    await tapped.clock.advance(1_000);
    expect(tapped.lost).toBe(7);
    tapped.finish();
    expect(tapped.lines.length).toBe(4);
  });

  test("that ended tells nothing more and leaves nothing behind, while another one goes on", async () => {
    const tapped = new Tapped();
    const [one, other] = [tapped.begin({ from: "web.default" }), tapped.begin()];
    one();
    tapped.finish();
    expect(tapped.lines.length).toBe(1);
    other();
    tapped.finish();
    expect([tapped.lines.length, tapped.clock.waiting]).toEqual([1, 0]);
  });

  test("keeps a path short, and shows what its record is, not what becomes of it", () => {
    const tapped = new Tapped();
    tapped.begin();
    const record = exchangeRecord({ path: `/${"x".repeat(64_000)}`, status: 200 });
    tapped.telemetry.finish(record, 1_010);
    record.status = 1;
    expect(tapped.lines).toMatchObject([{ status: 200, durationMs: 10, firstByteMs: 2 }]);
    expect(tapped.lines[0]?.path.length).toBe(limits.evidenceTextLengthMax);
  });
});
