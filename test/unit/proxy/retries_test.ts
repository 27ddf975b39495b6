/** What documents say of retries and of the time of one attempt: for each condition and kind of request, how often apps are sent it. */
import { describe, expect, test } from "bun:test";
import { limits } from "../../../src/model/limits.ts";
import type { TrafficTraits } from "../../../src/model/traffic.ts";
import { answer, play, resets, says, told, type Fault, type Scene } from "../../support/fault_scene.ts";

const at = (head: string): Fault => ({ at: "whole", act: says(answer(head, "no")) });
const unavailable = at("503 No");
const reset: Fault = { at: "whole", act: resets };
const silent: Fault = { at: "whole", act: () => {} };
const halfAnAnswer: Fault = { at: "whole", act: says("HTTP/1.1 503 No\r\ncontent-length: 9\r\n\r\nn") };

async function seen(
  scene: Scene,
  retries: TrafficTraits["retries"] = {},
  more: TrafficTraits = {},
): Promise<string> {
  return told(await play({ ...scene, traffic: { ...more, retries } }));
}

const again = (why: string): string => `xx | 200 | - | ${why}>ok | 1`;

describe("a GET is sent again", () => {
  const gateway = { on: ["gateway-error"] } as const;
  const cases: readonly [string, Fault, TrafficTraits["retries"], string][] = [
    ["upon 503 where gateway-error is a reason", unavailable, gateway, again("503")],
    ["upon 500 where 5xx is", at("500 No"), { on: ["5xx"] }, again("500")],
    ["upon a status that is named", at("429 No"), { codes: [429] }, again("429")],
    ["upon a reset that is not named", reset, gateway, "x | 502 | UR | UR | 0"],
    ["upon 500 where gateway-error is", at("500 No"), gateway, "x | 500 | - | - | 0"],
    ["upon 503 where nobody says so", unavailable, {}, "x | 503 | - | - | 0"],
    ["upon a reset where there are no attempts", reset, { attempts: 0 }, "x | 502 | UR | UR | 0"],
    ["where the answer asks for none", at("503 No\r\nx-heddle-no-retry: 1"), gateway, "x | 503 | - | - | 0"],
    ["half of an answer later", halfAnAnswer, gateway, again("503")],
  ];
  for (const [name, fault, retries, wanted] of cases)
    for (const place of ["b", "a alone"] as const)
      test(`${wanted.startsWith("xx") ? "" : "or not, "}${name}, app on ${place}`, async () => {
        expect(await seen({ fault, request: "GET", place }, retries)).toBe(wanted);
      });
});

describe("a request that must not happen twice", () => {
  const on = ["connect-failure", "refused-stream", "reset", "timeout", "gateway-error", "5xx"] as const;
  const everything = { on, codes: [429], attempts: 5 };
  for (const [name, fault] of Object.entries({ unavailable, reset, busy: at("429 No"), silent }))
    test(`is sent once whatever is a reason: ${name}`, async () => {
      const scene = { fault, request: "POST", faults: 9 } as const;
      const told = await seen(scene, everything, { timeouts: { perTryMs: 500 } });
      expect(told.split(" | ")[0]).toBe("x");
    });

  test("is sent again where Traffic says that the app tells repeats, or where its route does", async () => {
    const scene = { fault: unavailable, request: "POST" } as const;
    expect(await seen(scene, { ...everything, idempotent: true })).toBe(again("503"));
    expect(await seen({ ...scene, route: { idempotent: true } }, everything)).toBe(again("503"));
  });

  test("is tried again where no byte of it was written", async () => {
    expect(await seen({ request: "POST", dialsFail: 1 }, everything)).toBe("x | 200 | - | UF>ok | 1");
    const unnamed = await seen({ request: "POST", dialsFail: 1 }, { on: ["reset"] });
    expect(unnamed).toBe("- | 503 | UF | UF | 0");
  });
});

test("there are as many attempts as the document says", async () => {
  const scene = { fault: reset, request: "GET", faults: 9 } as const;
  expect(await seen(scene, { attempts: 3 })).toBe("xxxx | 502 | UR | UR>UR>UR>UR | 3");
});

describe("one attempt", () => {
  const timeouts = { perTryMs: 500 };
  test("that takes too long is followed by another one, of what may happen twice", async () => {
    expect(await seen({ fault: silent, request: "GET" }, {}, { timeouts })).toBe(again("UT"));
    expect(await seen({ fault: silent, request: "POST" }, {}, { timeouts })).toBe("x | 504 | UT | UT | 0");
    const unnamed = await seen({ fault: silent, request: "GET" }, { on: ["reset"] }, { timeouts });
    expect(unnamed).toBe("x | 504 | UT | UT | 0");
  });

  test("is cancelled when another one follows, and the app is told which attempt it gets", async () => {
    const played = await play({ fault: silent, request: "GET", traffic: { timeouts } });
    expect(played.inbound.toSorted()).toEqual(["", "DC"]);
    expect(played.numbers.toSorted()).toEqual(["", "1"]);
  });

  test("has the time that its route says, over what Traffic says", async () => {
    const scene = { fault: silent, request: "GET", route: { perTryMs: 500 } } as const;
    expect(await seen(scene, {}, { timeouts: { perTryMs: 60_000 } })).toBe(again("UT"));
    const unbounded = { ...scene, route: { perTryMs: 0 } };
    expect(await seen(unbounded, {}, { timeouts })).toBe("x | 504 | UT | UT | 0");
  });

  test("that ends inside its answer breaks it off", async () => {
    const part: Fault = { at: "whole", act: says("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\no") };
    const seen = await play({ fault: part, request: "GET", traffic: { timeouts } });
    expect([seen.sent.length, seen.status, seen.whole, seen.flag]).toEqual([1, 200, false, "UT"]);
  });
});

describe("a pause that the server asks for", () => {
  const codes = { codes: [503] };
  const asks = (pause: string): Fault => at(`503 No\r\nretry-after: ${pause}`);

  test("is kept, and a longer one than is waited for leaves the answer to the caller", async () => {
    expect(await seen({ fault: asks("1"), request: "GET" }, codes)).toBe(again("503"));
    expect(await seen({ fault: asks("1"), request: "GET", passMs: 900 }, codes)).toBe(
      "x | 0 cut | - | - | 1",
    );
    const tooLong = asks(String(limits.retryPushbackMaxMs / 1_000 + 1));
    expect(await seen({ fault: tooLong, request: "GET" }, codes)).toBe("x | 503 | - | - | 0");
  });

  test("that ends after the time of the request leaves the answer to the caller", async () => {
    expect(await seen({ fault: asks("3"), request: "GET" }, codes)).toBe("x | 503 | - | - | 0");
  });
});

test("a request that another layer has sent again is not sent again here", async () => {
  const scene = { fault: reset, request: "GET" } as const;
  expect(await seen({ ...scene, fields: "x-heddle-attempt: 1" })).toBe("x | 502 | UR | UR | 0");
  expect(await seen({ ...scene, fields: "x-heddle-attempt: 0" })).toBe(again("UR"));
});

test("an app's own answer is passed on when the retries are used up, and the flag says which budget and how to raise it", async () => {
  const played = await play({
    ...{ fault: unavailable, request: "GET", retriesUsed: true },
    traffic: { retries: { codes: [503] }, retryBudget: { percent: 10, min: 3 } },
  });
  expect(told(played)).toBe("x | 503 | URX | - | 0");
  for (const words of ["3 a second", "10 %", "retryBudget"]) expect(played.detail).toContain(words);
});

describe("a route", () => {
  test("names the statuses and the number of attempts, over what Traffic says", async () => {
    const scene = { fault: unavailable, request: "GET", faults: 9 } as const;
    const route = { retry: { codes: [503], attempts: 2 } };
    expect(await seen({ ...scene, route }, { codes: [500], attempts: 5 })).toBe(
      "xxx | 503 | - | 503>503>ok | 2",
    );
    expect(await seen({ ...scene, fault: at("500 No"), route }, { codes: [500] })).toBe(
      "x | 500 | - | - | 0",
    );
  });

  test("says the shortest wait", async () => {
    const route = { retry: { codes: [503], backoffMs: 800 } };
    expect(await seen({ fault: unavailable, request: "GET", route })).toBe(again("503"));
    const early = await seen({ fault: unavailable, request: "GET", route, passMs: 700 });
    expect(early).toBe("x | 0 cut | - | - | 1");
  });

  test("has the timeout of Traffic unless it says its own, or that there is none", async () => {
    const timeouts = { requestMs: 700 };
    const at900 = { fault: silent, request: "GET", passMs: 900 } as const;
    const route = { requestTimeoutMs: null };
    expect(await seen({ ...at900, route }, {}, { timeouts })).toBe("x | 504 | UT | UT | 0");
    expect(await seen(at900, {}, { timeouts })).toBe("x | 0 cut | - | - | 0");
    const unbounded = { ...route, requestUnbounded: true };
    expect(await seen({ ...at900, route: unbounded }, {}, { timeouts })).toBe("x | 0 cut | - | - | 0");
  });
});
