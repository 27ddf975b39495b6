import { describe, expect, test } from "bun:test";
import { ServerList } from "../../../src/api/server_list.ts";
import { limits } from "../../../src/model/limits.ts";
import { ManualClock } from "../../support/clock.ts";

function three() {
  const clock = new ManualClock();
  const list = new ServerList(
    ["a", "b", "c"].map((host) => ({ host, port: 1 })),
    clock,
  );
  const order = (): string =>
    list
      .trials()
      .map(({ server }) => server.host)
      .join("");
  const named = (host: string) => {
    const [found] = list.trials().filter(({ server }) => server.host === host);
    if (found === undefined) throw new Error(`There is no ${host}`);
    return found.server;
  };
  return { clock, list, order, named };
}

describe("of several addresses of a server", () => {
  test("all are tried, in the order in which they were given", () => {
    const { list, order } = three();
    expect(order()).toBe("abc");
    expect(list.text).toBe("a:1 or b:1 or c:1");
  });

  test("one that failed is tried last until its wait is over, which doubles up to a bound", async () => {
    const { clock, list, order, named } = three();
    for (let waitMs: number = limits.reconnectMs; ; waitMs = Math.min(waitMs * 2, limits.reconnectMaxMs)) {
      list.failed(named("a"));
      expect(order()).toBe("bca");
      await clock.advance(waitMs - 1);
      expect(order()).toBe("bca");
      await clock.advance(1);
      expect(order()).toBe("abc");
      if (waitMs === limits.reconnectMaxMs) break;
    }
  });

  test("one that was reached again waits no longer, and its next failure counts as the first", async () => {
    const { clock, list, order, named } = three();
    for (let each = 0; each < 5; each++) list.failed(named("a"));
    list.reached(named("a"));
    expect(order()).toBe("abc");
    list.failed(named("a"));
    await clock.advance(limits.reconnectMs);
    expect(order()).toBe("abc");
  });

  test("where all have failed, the one whose wait ends first is tried first", async () => {
    const { clock, list, order, named } = three();
    for (const host of ["c", "a", "b"]) {
      list.failed(named(host));
      await clock.advance(1);
    }
    expect(order()).toBe("cab");
  });

  test("silence is borne for long only where no other is there to be tried", () => {
    const { list, named } = three();
    const patience = (): number[] => list.trials().map(({ timeoutMs }) => timeoutMs);
    const { controlTrialMs: short, controlConnectMs: long } = limits;
    expect(patience()).toEqual([short, short, long]);
    list.failed(named("a"));
    expect(patience()).toEqual([short, long, long]);
    for (const host of ["b", "c"]) list.failed(named(host));
    expect(patience()).toEqual([long, long, long]);
  });
});
