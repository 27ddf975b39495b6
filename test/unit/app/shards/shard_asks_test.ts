/** What operators ask of a proxy of several event loops: asked of each, answered once. */
import { describe, expect, test } from "bun:test";
import type { Question } from "../../../../src/api/questions.ts";
import type { ToShard } from "../../../../src/app/shards/messages.ts";
import { ShardAsks } from "../../../../src/app/shards/shard_asks.ts";
import type { ShardProcess } from "../../../../src/app/shards/shard_process.ts";

class Told {
  readonly told: ToShard[] = [];
  readonly as = { send: (message: ToShard) => void this.told.push(message) } as unknown as ShardProcess;
}

class Heard {
  readonly lines: unknown[] = [];
  lostCount = 0;
  ends: (string | undefined)[] = [];
  readonly reply = {
    line: (line: unknown) => void this.lines.push(line),
    lost: (count: number) => void (this.lostCount += count),
    end: (problem?: string) => void this.ends.push(problem),
  };
}

const noFilter = {
  ...{ direction: null, service: null, from: null, to: null, method: null, path: null, status: null },
  ...{ slowerMs: null, flag: null },
};
const tap = { what: "tap", filter: noFilter, perSecond: 101 } as Extract<Question, { what: "tap" }>;

function start(count: number) {
  const shards = Array.from({ length: count }, () => new Told());
  const asks = new ShardAsks(() => shards.map((each) => each.as));
  return { shards, asks, heard: new Heard() };
}

describe("a question to all event loops", () => {
  test("is answered when the last has answered, with the lines of all", () => {
    const { shards, asks, heard } = start(2);
    asks.answerers["under-way"]({ what: "under-way" }, heard.reply);
    const [one, other] = shards.map((each) => each.as) as [ShardProcess, ShardProcess];
    asks.heard(one, { kind: "line", ask: 1, line: "a" });
    asks.heard(one, { kind: "answered", ask: 1, problem: null });
    expect(heard.ends).toEqual([]);
    asks.heard(other, { kind: "line", ask: 1, line: "b" });
    asks.heard(other, { kind: "lost", ask: 1, count: 2 });
    asks.heard(other, { kind: "answered", ask: 1, problem: "no" });
    expect([heard.lines, heard.lostCount, heard.ends]).toEqual([["a", "b"], 2, ["no"]]);
  });

  test("is answered without one that ends meanwhile", () => {
    const { shards, asks, heard } = start(2);
    asks.answerers.request({ what: "request", id: "x" }, heard.reply);
    const [one, other] = shards.map((each) => each.as) as [ShardProcess, ShardProcess];
    asks.heard(one, { kind: "answered", ask: 1, problem: null });
    asks.ended(other);
    expect(heard.ends).toEqual([undefined]);
  });

  test("says so when there is none at this moment", () => {
    const { asks, heard } = start(0);
    asks.answerers["under-way"]({ what: "under-way" }, heard.reply);
    expect(heard.ends).toEqual(["no event loop carries traffic at this moment"]);
  });

  test("of a tap shares its rate, goes on with the loop that takes the place of another, and is taken back from all", () => {
    const { shards, asks, heard } = start(2);
    const stop = asks.answerers.tap(tap, heard.reply);
    const rates = shards.map(({ told }) => (told[0] as Extract<ToShard, { kind: "question" }>).question);
    expect(rates).toEqual([
      { ...tap, perSecond: 51 },
      { ...tap, perSecond: 51 },
    ]);
    const [one, other] = shards as [Told, Told];
    asks.ended(other.as);
    const next = new Told();
    asks.came(next.as);
    expect(next.told.map(({ kind }) => kind)).toEqual(["question"]);
    expect(heard.ends).toEqual([]);
    stop?.();
    expect([one, other, next].map(({ told }) => told.at(-1)?.kind)).toEqual(["cancel", "question", "cancel"]);
  });
});
