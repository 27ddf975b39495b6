/** The deadlines of one exchange: each ends by itself, in order, and none after the exchange is over. */
import { beforeEach, expect, test } from "bun:test";
import { Shard } from "../../../../src/http/shard.ts";
import { limits } from "../../../../src/model/limits.ts";
import { Deadlines, type DeadlineKind } from "../../../../src/proxy/deadline/deadlines.ts";
import { ManualClock } from "../../../support/clock.ts";

/** An exchange that has nothing but deadlines. */
class Timed extends Deadlines {
  constructor(readonly heard: (kind: DeadlineKind) => void) {
    super(new Shard(clock));
  }

  get passed(): number {
    return moving.passed;
  }

  get maySilent(): boolean {
    return moving.maySilent;
  }

  late(kind: DeadlineKind): void {
    this.heard(kind);
  }

  begin(...all: readonly [number, number | null, number | null]): number | null {
    return this.setDeadlines(...all);
  }

  set(kind: DeadlineKind, delayMs: number): void {
    this.setDeadline(kind, delayMs);
  }

  clear(kind: DeadlineKind): void {
    this.clearDeadline(kind);
  }

  close(): void {
    this.closeDeadlines();
  }
}

let clock: ManualClock;
let heard: string[];
let moving: { passed: number; maySilent: boolean };
let deadlines: Timed;

beforeEach(() => {
  clock = new ManualClock();
  heard = [];
  moving = { passed: 0, maySilent: false };
  deadlines = new Timed((kind) => void heard.push(kind));
});

/** Until so long after the beginning, and what a tick may take. */
const until = (ms: number): Promise<void> => clock.advance(ms + limits.timerTickMs - clock.now());

test("the first of both limits ends the request, once", async () => {
  expect(deadlines.begin(clock.now(), 2_000, 500)).toBe(500);
  await until(490 - limits.timerTickMs);
  expect(heard).toEqual([]);
  await until(520);
  expect(heard).toEqual(["request"]);
  await until(5_000);
  expect(heard).toEqual(["request"]);
});

test("a limit of a few milliseconds is kept to a few milliseconds, wherever others stood before", async () => {
  const latestMs = 2 * limits.timerFineTickMs;
  deadlines.begin(clock.now(), 30_000, null);
  for (const kind of ["try", "request"] as const) {
    heard = [];
    deadlines.set(kind, 120);
    const endMs = clock.now() + 120;
    await clock.advance(119);
    expect(heard).toEqual([]);
    await clock.advance(endMs + latestMs - clock.now());
    expect(heard).toEqual([kind]);
  }
});

test("one limit is enough, and none leaves the request to its silence", async () => {
  expect([deadlines.begin(0, null, 700), deadlines.begin(0, 800, null)]).toEqual([700, 800]);
  const free = new Timed((kind) => void heard.push(`free ${kind}`));
  expect(free.begin(0, null, null)).toBeNull();
  await until(limits.answerIdleMs + 100);
  expect(heard.toSorted()).toEqual(["free idle", "idle", "request"]);
});

test("a limit counts from when the exchange began, and one that is over already ends it at the next tick", async () => {
  await clock.advance(1_000);
  deadlines.begin(0, 400, null);
  await clock.advance(2 * limits.timerTickMs);
  expect(heard).toEqual(["request"]);
});

test("what moves is not silent, however slowly, and what may be silent is left alone", async () => {
  deadlines.begin(0, null, null);
  for (let round = 1; round <= 3; round++) {
    moving.passed++;
    await until(round * (limits.answerIdleMs + 200));
  }
  expect(heard).toEqual([]);
  moving.maySilent = true;
  await until(6 * limits.answerIdleMs);
  expect(heard).toEqual([]);
  moving.maySilent = false;
  await until(8 * limits.answerIdleMs);
  expect(heard).toEqual(["idle"]);
});

test("one that was cleared does not end anything, and the others stand", async () => {
  deadlines.begin(0, 500, null);
  deadlines.clear("request");
  await until(limits.answerIdleMs + 100);
  expect(heard).toEqual(["idle"]);
});

test("one that is set again begins anew", async () => {
  deadlines.set("request", 500);
  await until(400);
  deadlines.set("request", 500);
  await until(800);
  expect(heard).toEqual([]);
  await until(1_000);
  expect(heard).toEqual(["request"]);
});

test("none comes once the exchange is over, also when the first of two that were due ended it", async () => {
  const ending = new Timed((kind) => {
    heard.push(kind);
    ending.close();
  });
  ending.set("request", 300);
  ending.set("idle", 300);
  await until(limits.answerIdleMs);
  expect(heard).toEqual(["request"]);
  ending.set("idle", 100);
  await until(2 * limits.answerIdleMs);
  expect(heard).toEqual(["request"]);
});
