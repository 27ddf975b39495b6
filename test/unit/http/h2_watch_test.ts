/** What an HTTP/2 connection makes of time that passes, by a clock that stands still. */
import { describe, expect, test } from "bun:test";
import { WheelEntry } from "../../../src/base/timer_wheel.ts";
import { ConnectionWatch } from "../../../src/http/h2_watch.ts";
import { Shard } from "../../../src/http/shard.ts";
import { limits } from "../../../src/model/limits.ts";
import { MemoryNet } from "../../support/memory_net.ts";

const idleMs = 60_000;

class Entry extends WheelEntry {
  looks = 0;
  expired(): void {
    this.looks++;
  }
}

function started() {
  const net = new MemoryNet();
  const entry = new Entry();
  const watch = new ConnectionWatch(new Shard(net.clock), entry);
  return { watch, entry, pass: (ms: number) => net.pass(ms) };
}

describe("a peer that owes an answer", () => {
  test("is asked once it was silent for long, and given up when it does not answer", async () => {
    const { watch, pass } = started();
    await pass(limits.h2PingMs - 1);
    expect(watch.alive()).toBe("maybe");
    await pass(1);
    expect([watch.alive(), watch.alive()]).toEqual(["ask", "maybe"]);
    await pass(limits.h2PingAnswerMs + 1);
    expect(watch.alive()).toBe("no");
  });

  test("is there when anything of it came", async () => {
    const { watch, pass } = started();
    await pass(limits.h2PingMs);
    expect(watch.alive()).toBe("ask");
    await pass(10);
    watch.heard();
    await pass(limits.h2PingAnswerMs + 1);
    expect(watch.alive()).toBe("maybe");
  });

  test("is not to blame for what this side did not read", async () => {
    const { watch, pass } = started();
    watch.pausedReading();
    await pass(10 * limits.h2PingMs);
    expect([watch.alive(), watch.openMs]).toEqual(["maybe", 0]);
    watch.resumedReading();
    await pass(limits.h2PingMs);
    expect(watch.alive()).toBe("ask");
  });
});

test("a peer that takes nothing is deaf after a while, counted from when it began and without what is excused", async () => {
  const { watch, pass } = started();
  expect(watch.isUnresponsive(true, 0)).toBe(false);
  await pass(limits.writeStallMs + 1);
  expect(watch.isUnresponsive(true, 1)).toBe(false);
  expect(watch.isUnresponsive(true, 0)).toBe(true);
  watch.tookOutput();
  expect(watch.isUnresponsive(true, 0)).toBe(false);
  await pass(limits.writeStallMs);
  expect(watch.isUnresponsive(false, 0)).toBe(false);
  expect(watch.isUnresponsive(true, 0)).toBe(false);
});

test("a drain that was asked is answered once, or overdue", async () => {
  const { watch, pass } = started();
  expect([watch.drainAnswered(), watch.drainOverdue]).toEqual([false, false]);
  watch.drainAsked();
  await pass(limits.h2PingAnswerMs + 1);
  expect(watch.drainOverdue).toBe(true);
  expect([watch.drainAnswered(), watch.drainAnswered(), watch.drainOverdue]).toEqual([true, false, false]);
});

describe("looks", () => {
  test("come about once a second while something is under way", async () => {
    const { watch, entry, pass } = started();
    watch.begin();
    for (let second = 1; second <= 5; second++) {
      await pass(limits.h2WatchMs + limits.timerTickMs);
      expect(entry.looks).toBe(second);
      watch.look();
      expect(watch.goOn(true, idleMs)).toBe(false);
    }
  });

  test("come once more when nothing is, at the end of the time it may be unused", async () => {
    const { watch, entry, pass } = started();
    watch.begin();
    watch.becameIdle();
    for (; entry.looks < 1; await pass(limits.timerTickMs));
    watch.look();
    expect(watch.goOn(false, idleMs)).toBe(false);
    await pass(idleMs - 2 * limits.h2WatchMs);
    expect(entry.looks).toBe(1);
    await pass(2 * limits.h2WatchMs);
    expect(entry.looks).toBe(2);
    watch.look();
    expect(watch.goOn(false, idleMs)).toBe(true);
  });

  test("are on again as soon as something begins", async () => {
    const { watch, entry, pass } = started();
    watch.begin();
    for (; entry.looks < 1; await pass(limits.timerTickMs));
    watch.look();
    watch.goOn(false, idleMs);
    watch.begin();
    await pass(limits.h2WatchMs + limits.timerTickMs);
    expect(entry.looks).toBe(2);
  });
});
