/** Who gives way where a port from outside has no room. */
import { expect, test } from "bun:test";
import { limits } from "../../../../src/model/limits.ts";
import { Crowd } from "../../../../src/proxy/listen/crowd.ts";

function filled(counts: Readonly<Record<string, number>>) {
  const crowd = new Crowd();
  const retired: string[] = [];
  const forget: (() => void)[] = [];
  for (const [address, count] of Object.entries(counts))
    for (let at = 0; at < count; at++)
      forget.push(crowd.add(address, { retire: () => retired.push(`${address} ${at}`) }));
  return { crowd, retired, forget };
}

test("the oldest of whoever has most, some at a time, and others the next time", () => {
  const { crowd, retired } = filled({ "192.0.2.1": 200, "192.0.2.2": 100 });
  crowd.thin("192.0.2.9", 0);
  expect([retired.length, retired[0], retired.at(-1)]).toEqual([64, "192.0.2.1 0", "192.0.2.1 63"]);
  crowd.thin("192.0.2.9", limits.crowdThinMs - 1);
  expect(retired).toHaveLength(limits.crowdThinnedMax);
  crowd.thin("192.0.2.9", limits.crowdThinMs);
  expect(retired[64]).toBe("192.0.2.1 64");
});

test("nobody for whoever has as many, and addresses of one IPv6 network are one", () => {
  const { crowd, retired } = filled({ "2001:db8::1": 2, "2001:db8::2": 2, "192.0.2.1": 3 });
  crowd.thin("2001:db8::3", 0);
  expect(retired).toEqual([]);
  crowd.thin("192.0.2.1", limits.crowdThinMs);
  expect(retired).toHaveLength(4);
});

test("nobody who left", () => {
  const { crowd, retired, forget } = filled({ "192.0.2.1": 3 });
  for (const each of forget) each();
  crowd.thin("192.0.2.9", 0);
  expect(retired).toEqual([]);
});
