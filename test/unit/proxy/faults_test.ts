/**
 * A fault at each step of a request, for each kind of request: how often apps are sent it, and what its caller, the record and the
 * retry budget hear of it.
 */
import { describe, expect, test } from "bun:test";
import {
  answer,
  closes,
  play,
  requests,
  resets,
  says,
  told,
  type Fault,
  type What,
} from "../../support/fault_scene.ts";
import { named, type Planes } from "../../support/planes.ts";

const appFaults = {
  "resets when it was dialled": { at: "accepted", act: resets },
  "resets at the head": { at: "head", act: resets },
  "resets at the end": { at: "whole", act: resets },
  "closes without an answer": { at: "whole", act: closes },
  "closes inside of its head": { at: "whole", act: says("HTTP/1.1 200 OK\r\ncont", closes) },
  "answers what is no HTTP": { at: "whole", act: says("what?\r\n\r\n") },
  "resets inside of its body": {
    at: "whole",
    act: says("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\no", resets),
  },
  "resets between its chunks": {
    at: "whole",
    act: says("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n", resets),
  },
  "is silent": { at: "whole", act: () => {} },
  "answers 503 by itself": { at: "whole", act: says(answer("503 No", "no")) },
  "claims to be a proxy that failed": {
    at: "whole",
    act: says(answer("503 No\r\nx-heddle-error: UF/x\r\nx-heddle-repeat: yes", "no")),
  },
  "is cut off from its caller": {
    at: "whole",
    act: (_socket, links) => links.forEach((link) => link.reset()),
  },
} satisfies Record<string, Fault>;

const once = (what: string): readonly string[] => Array.from({ length: 4 }, () => `x | ${what} | 0`);
const safeTwice = (flag: string): readonly string[] => [
  `xx | 200 | - | ${flag}>ok | 1`,
  `xx | 200 | - | ${flag}>ok | 1`,
  `x | 502 | ${flag} | ${flag} | 0`,
  `x | 502 | ${flag} | ${flag} | 0`,
];

/** For GET, PUT, POST and a PUT that is too long to be kept. */
const expected: Readonly<Record<keyof typeof appFaults, readonly string[]>> = {
  "resets when it was dialled": [
    "x | 200 | - | UR>ok | 1",
    "x | 200 | - | UR>ok | 1",
    "- | 502 | UR | UR | 0",
    "- | 502 | UR | UR | 0",
  ],
  "resets at the head": [...safeTwice("UR").slice(0, 3), "~ | 502 | UR | UR | 0"],
  "resets at the end": safeTwice("UR"),
  "closes without an answer": safeTwice("UC"),
  "closes inside of its head": once("502 | UC | UC"),
  "answers what is no HTTP": once("502 | UPE | UPE"),
  "resets inside of its body": once("200 cut | UR | -"),
  "resets between its chunks": once("200 cut | UR | -"),
  "is silent": once("504 | UT | UT"),
  "answers 503 by itself": once("503 | - | -"),
  "claims to be a proxy that failed": once("503 | - | -"),
  "is cut off from its caller": safeTwice("UC"),
};

const kinds = Object.keys(requests) as readonly What[];

for (const [place, where] of [
  ["b", "on other machines"],
  ["a alone", "on the caller's own machine"],
] as const)
  describe(`an app ${where} that`, () => {
    for (const [name, fault] of Object.entries(appFaults)) {
      // There is no connection between proxies of one machine.
      if (place === "a alone" && name === "is cut off from its caller") continue;
      kinds.forEach((request, at) =>
        test(`${name}: ${request}`, async () => {
          const wanted = expected[name as keyof typeof appFaults][at]?.replace(
            "~",
            place === "b" ? "~" : "x",
          );
          const seen = told(await play({ fault, request, place }));
          // Its first bytes may be all there is of a long body.
          expect(seen.replace("~", "x")).toBe((wanted ?? "").replace("~", "x"));
        }),
      );
    }
  });

describe("a machine", () => {
  for (const request of kinds)
    test(`that cannot be reached costs a retry and no request: ${request}`, async () => {
      expect(told(await play({ request, dialsFail: 1 }))).toBe("x | 200 | - | UF>ok | 1");
    });

  for (const request of kinds)
    test(`that shows another identity gets nothing, the other one all: ${request}`, async () => {
      const prepare = async (planes: Planes): Promise<void> => {
        planes.machine("b").credentials.set("web.default", await planes.issue("other"));
      };
      const seen = [await play({ request, prepare }), await play({ request, prepare })];
      for (const each of seen) expect([each.sent.length, each.status]).toEqual([1, 200]);
    });

  test("alone with another identity is never spoken to", async () => {
    const prepare = async (planes: Planes): Promise<void> => {
      for (const name of ["b", "c"])
        planes.machine(name).credentials.set("web.default", await planes.issue("other"));
    };
    const seen = await play({ request: "GET", prepare });
    expect(told(seen)).toBe("- | 502 | ID | ID>ID | 1");
  });
});

describe("another attempt", () => {
  const fault = appFaults["resets at the end"];

  test("is made of a POST where its route says that it is idempotent", async () => {
    const seen = await play({ fault, request: "POST", route: { idempotent: true } });
    expect(told(seen)).toBe("xx | 200 | - | UR>ok | 1");
  });

  test("is never made of a body that was not kept, whatever the route says", async () => {
    const seen = await play({ fault, request: "big PUT", route: { idempotent: true } });
    expect(told(seen)).toBe("x | 502 | UR | UR | 0");
  });

  test("is not made when the retries of the service are used up, and the flag says so", async () => {
    const seen = await play({ fault, request: "GET", retriesUsed: true });
    expect(told(seen)).toBe("x | 502 | URX | UR | 0");
  });

  test("is made once and no more", async () => {
    expect(told(await play({ request: "GET", dialsFail: 2 }))).toBe("- | 503 | UF | UF>UF | 1");
  });
});

describe("a route", () => {
  test("ends what takes longer than its timeout, and not what takes less", async () => {
    const silent = appFaults["is silent"];
    const seen = await play({ fault: silent, request: "GET", route: { requestTimeoutMs: 500 } });
    expect(told(seen)).toBe("x | 504 | UT | UT | 0");
    const unbounded = await play({ fault: silent, request: "GET", route: { requestTimeoutMs: null } });
    expect([unbounded.status, unbounded.flag]).toEqual([0, ""]);
  });

  test("that is not valid leads nowhere", async () => {
    const match = { path: { type: "RegularExpression", value: "(" }, method: null, headers: [] } as const;
    const seen = await play({ request: "GET", route: { match } });
    expect([seen.sent, seen.status, seen.flag]).toEqual([[], 500, "NC"]);
  });

  test("whose backend is not valid leads nowhere", async () => {
    const backends = [{ service: named("web"), subset: null, weight: 1, invalid: "it was taken away" }];
    const seen = await play({ request: "GET", route: { backends } });
    expect([seen.sent, seen.status, seen.flag]).toEqual([[], 500, "NC"]);
  });
});
