import { expect, test } from "bun:test";
import { TurnQueue } from "../../../src/http/turn_queue.ts";

/** A queue whose turns come when the test says so, and connections in it that have so many requests left, eight a turn. */
function queueOf(requestsMax: number, ...requests: number[]) {
  const due: (() => void)[] = [];
  const begun: string[] = [];
  const queue = new TurnQueue((call) => due.push(call), requestsMax, 8);
  requests.forEach((count, name) => {
    let left = count;
    const connection = {
      goOn(): number {
        const now = Math.min(8, left);
        left -= now;
        begun.push(`${name}:${now}`);
        if (left > 0) queue.wait(connection);
        return now;
      },
    };
    queue.wait(connection);
  });
  const turn = (): string[] => {
    begun.length = 0;
    for (const call of due.splice(0)) call();
    return [...begun];
  };
  return { queue, turn };
}

test("a turn begins a bounded number of requests, and connections have their turns in order", () => {
  const { turn } = queueOf(16, 20, 9, 8, 1);
  expect(turn()).toEqual(["0:8", "1:8"]);
  // Another one could begin eight, and nine began already.
  expect(turn()).toEqual(["2:8", "3:1"]);
  expect(turn()).toEqual(["0:8", "1:1"]);
  expect(turn()).toEqual(["0:4"]);
  expect(turn()).toEqual([]);
});

test("a connection that waits again in its own turn has its next one in another turn", () => {
  const { turn } = queueOf(100, 24);
  expect([turn(), turn(), turn(), turn()]).toEqual([["0:8"], ["0:8"], ["0:8"], []]);
});

test("connections that begin nothing do not use up the turn", () => {
  const { turn } = queueOf(8, 0, 0, 8, 8);
  expect(turn()).toEqual(["0:0", "1:0", "2:8"]);
  expect(turn()).toEqual(["3:8"]);
});

test("a connection that fails in its turn takes nobody else's", () => {
  const due: (() => void)[] = [];
  const queue = new TurnQueue((call) => due.push(call), 8, 8);
  let begun = 0;
  queue.wait({
    goOn(): number {
      throw new Error("a bug");
    },
  });
  queue.wait({ goOn: () => ++begun });
  expect(() => due.shift()?.()).toThrow("a bug");
  expect([begun, due.length]).toEqual([0, 1]);
  due.shift()?.();
  expect([begun, due.length]).toEqual([1, 0]);
});

test("what begins as it was read counts for the turn that follows, and leaves half of it to those that wait", () => {
  const { queue, turn } = queueOf(16);
  expect([8, 8, 1].map((count) => queue.mayBegin(count))).toEqual([true, true, false]);
  expect(turn()).toEqual([]);
  const other = queueOf(16, 24, 24);
  expect([8, 1].map((count) => other.queue.mayBegin(count))).toEqual([true, false]);
  expect(other.turn()).toEqual(["0:8"]);
  expect(other.turn()).toEqual(["1:8", "0:8"]);
});
