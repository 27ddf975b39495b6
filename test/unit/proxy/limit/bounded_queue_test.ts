/** The line of those that wait: bounded, by priority, fresh before stale when it is slow, nothing past its deadline. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { BoundedQueue } from "../../../../src/proxy/limit/bounded_queue.ts";
import type { PriorityLevel } from "../../../../src/model/priority.ts";

interface Item {
  readonly name: number;
  readonly level: PriorityLevel;
  readonly deadlineMs: number;
}

function queueOf(max: number) {
  const dropped: string[] = [];
  const queue = new BoundedQueue<Item>({ max, dropped: (item, why) => dropped.push(`${item.name} ${why}`) });
  const offer = (name: number, level: PriorityLevel = 1, deadlineMs = Infinity, nowMs = 0): boolean =>
    queue.offer({ name, level, deadlineMs }, level, deadlineMs, nowMs);
  const takeAll = (nowMs: number): number[] => {
    const names: number[] = [];
    for (let item = queue.take(nowMs); item !== null; item = queue.take(nowMs)) names.push(item.name);
    return names;
  };
  return { queue, dropped, offer, takeAll };
}

describe("a line of requests", () => {
  test("gives out what matters most first, and then in order", () => {
    const { offer, takeAll } = queueOf(9);
    offer(1, 1);
    offer(2, 3);
    offer(3, 1);
    offer(4, 0);
    expect(takeAll(0)).toEqual([4, 1, 3, 2]);
  });

  test("gives out the newest first once the oldest has waited for long", () => {
    const { offer, takeAll } = queueOf(9);
    for (const name of [1, 2, 3]) offer(name, 1, Infinity, name * 30);
    expect(takeAll(130)).toEqual([1, 2, 3]);
    for (const name of [1, 2, 3]) offer(name, 1, Infinity, name * 30);
    expect(takeAll(131)).toEqual([3, 2, 1]);
  });

  test("gives out nothing that is past its deadline", () => {
    const { offer, takeAll, dropped } = queueOf(9);
    offer(1, 1, 50);
    offer(2, 1, 100);
    expect(takeAll(50)).toEqual([2]);
    expect(dropped).toEqual(["1 deadline"]);
  });

  test("that is full lets what matters more take the place of what matters least, the newest of it", () => {
    const { offer, takeAll, dropped } = queueOf(3);
    offer(1, 2);
    offer(2, 3);
    offer(3, 3);
    expect([offer(4, 3), offer(5, 1), offer(6, 2), offer(7, 2)]).toEqual([false, true, true, false]);
    expect(dropped).toEqual(["3 displaced", "2 displaced"]);
    expect(takeAll(0)).toEqual([5, 1, 6]);
  });

  test("that is full makes room by what is past its deadline before anything else", () => {
    const { offer, dropped } = queueOf(2);
    offer(1, 0, 10);
    offer(2, 3);
    expect(offer(3, 0, Infinity, 10)).toBe(true);
    expect(dropped).toEqual(["1 deadline"]);
  });

  test("loses and doubles nobody, whatever comes and goes", () => {
    const step = fc.record({
      act: fc.constantFrom("offer", "offer", "offer", "take", "expire"),
      level: fc.constantFrom<PriorityLevel>(0, 1, 2, 3),
      lifeMs: fc.constantFrom(5, 200, Infinity),
      afterMs: fc.nat(60),
    });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.array(step, { maxLength: 300 }), (max, steps) => {
        const { queue, dropped, offer } = queueOf(max);
        const inside = new Map<number, Item>();
        let nowMs = 0;
        steps.forEach(({ act, level, lifeMs, afterMs }, name) => {
          nowMs += afterMs;
          const deadlineMs = nowMs + lifeMs;
          if (act === "expire") queue.expire(nowMs);
          else if (act === "take") {
            const taken = queue.take(nowMs);
            if (taken !== null) {
              expect(inside.delete(taken.name)).toBe(true);
              expect(taken.deadlineMs).toBeGreaterThan(nowMs);
            }
          } else if (offer(name, level, deadlineMs, nowMs)) inside.set(name, { name, level, deadlineMs });
          else for (const each of inside.values()) expect(each.level).toBeLessThanOrEqual(level);
          for (const each of dropped.splice(0)) expect(inside.delete(Number.parseInt(each, 10))).toBe(true);
          expect(queue.length).toBe(inside.size);
          expect(queue.length).toBeLessThanOrEqual(max);
        });
      }),
    );
  });
});
