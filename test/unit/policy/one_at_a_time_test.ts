/** Work that waits its turn. */
import { expect, test } from "bun:test";
import { OneAtATime } from "../../../src/policy/one_at_a_time.ts";

test("work begins when what came before has ended, well or not, and what too many wait for is refused", async () => {
  const queue = new OneAtATime(2);
  const began: string[] = [];
  const first = Promise.withResolvers<string>();
  const begin = (name: string, work: Promise<string>) =>
    queue.run(() => {
      began.push(name);
      return work;
    });
  const one = begin("one", first.promise);
  const two = begin("two", Promise.resolve("second"));
  expect(begin("three", Promise.resolve("third"))).toBeNull();
  await Promise.resolve();
  expect(began).toEqual(["one"]);
  first.reject(new Error("told"));
  expect(one).rejects.toThrow("told");
  expect(await two).toBe("second");
  expect(began).toEqual(["one", "two"]);
  expect(await begin("four", Promise.resolve("fourth"))).toBe("fourth");
});
