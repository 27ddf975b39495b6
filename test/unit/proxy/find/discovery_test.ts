/** Names that no snapshot has: who waits for what, who is told what, and who makes room for whom. */
import { beforeEach, describe, expect, test } from "bun:test";
import { Shard } from "../../../../src/http/shard.ts";
import { limits } from "../../../../src/model/limits.ts";
import { Discovery } from "../../../../src/proxy/find/discovery.ts";
import { ManualClock } from "../../../support/clock.ts";

let clock: ManualClock;
let discovery: Discovery;
let asked: (readonly string[])[];
let confirmed: string[];
let crowded: string[];
/** By key: "there" or the status of the answer, for each call that was answered. */
let answers: Record<string, (number | "there")[]>;

beforeEach(() => {
  clock = new ManualClock();
  asked = [];
  confirmed = [];
  crowded = [];
  answers = {};
  discovery = new Discovery({
    shard: new Shard(clock),
    ask: () => void asked.push(discovery.wanted()),
    confirmed: (key) => void confirmed.push(key),
    crowded: (source) => void crowded.push(source),
  });
});

function call(key: string, source = "web"): void {
  const heard = (answers[key] ??= []);
  discovery.find(key, source, (absence) => void heard.push(absence === null ? "there" : absence.status));
}

function flood(count: number, source = "web", word = "bogus"): void {
  for (let at = 0; at < count; at++) call(`${word}-${at}`, source);
}

test("a call waits for the snapshot that has the service, and the service is confirmed once", () => {
  call("api");
  call("api");
  expect(asked).toEqual([["api"]]);
  discovery.arrived(() => false);
  expect(answers).toEqual({ api: [] });
  discovery.arrived((key) => key === "api");
  expect(answers).toEqual({ api: ["there", "there"] });
  expect(confirmed).toEqual(["api"]);
  expect(discovery.wanted()).toEqual([]);
});

test("a name that the controller does not know is answered when it says so, and for a while without asking", async () => {
  call("nobody");
  discovery.missing(["nobody", "never-asked"]);
  call("nobody");
  expect(answers).toEqual({ nobody: [404, 404] });
  expect(asked).toHaveLength(1);
  expect(discovery.wanted()).toEqual(["nobody"]);
  await clock.advance(limits.absenceMs + limits.timerTickMs);
  call("nobody");
  expect(asked).toHaveLength(2);
  expect(answers["nobody"]).toHaveLength(2);
});

test("a service that comes to be is there at once, though its name was answered as unknown a moment ago", () => {
  call("api");
  discovery.missing(["api"]);
  discovery.arrived((key) => key === "api");
  expect(confirmed).toEqual(["api"]);
  expect(discovery.wanted()).toEqual([]);
});

test("a new snapshot makes every name worth a question again", () => {
  call("api");
  discovery.missing(["api"]);
  discovery.arrived(() => false);
  call("api");
  expect(asked).toHaveLength(2);
});

test("while the controller is away a call is answered at the deadline, by another status than an unknown name", async () => {
  call("api");
  await clock.advance(limits.discoverMs - limits.timerTickMs);
  expect(answers).toEqual({ api: [] });
  await clock.advance(2 * limits.timerTickMs);
  call("api");
  expect(answers).toEqual({ api: [503, 503] });
  discovery.arrived((key) => key === "api");
  expect(confirmed).toEqual(["api"]);
});

describe("a flood of names", () => {
  test("keeps the latest, answers the oldest that still waits, and counts", () => {
    flood(limits.unconfirmedNamesMax + 10);
    const wanted = discovery.wanted();
    expect(wanted).toHaveLength(limits.unconfirmedNamesMax);
    expect(wanted[0]).toBe("bogus-10");
    expect(wanted.at(-1)).toBe(`bogus-${limits.unconfirmedNamesMax + 9}`);
    expect(answers["bogus-9"]).toEqual([503]);
    expect(answers["bogus-10"]).toEqual([]);
    expect(crowded).toEqual(Array.from({ length: 10 }, () => "web"));
  });

  test("of one local service pushes out no name of another, up to its share", () => {
    flood(5, "shop", "mine");
    flood(10_000, "web");
    const mine = Array.from({ length: 5 }, (_, at) => `mine-${at}`);
    expect(discovery.wanted()).toEqual(expect.arrayContaining(mine));
    flood(10_000, "shop", "other");
    expect(discovery.wanted().filter((key) => key.startsWith("bogus"))).toHaveLength(
      limits.unconfirmedNamesMax / 2,
    );
  });

  test("leaves a service that is called first after it as findable as ever", () => {
    flood(10_000);
    call("api");
    expect(asked.at(-1)).toContain("api");
    discovery.arrived((key) => key === "api");
    expect(answers["api"]).toEqual(["there"]);
  });

  test("does not push out a name that is called again and again", () => {
    call("soon");
    for (let at = 0; at < 50; at++) {
      flood(100, "web", `n${at}`);
      call("soon");
    }
    expect(discovery.wanted()).toContain("soon");
  });
});

test("calls of one local service that wait are bounded whatever they call, and those of another are not in their way", () => {
  const each = limits.pendingMax / 4;
  for (let at = 0; at < 5 * each; at++) call(`n${at % 5}`);
  call("api", "shop");
  const refused = Object.values(answers).flat();
  expect(refused).toEqual(Array.from({ length: each }, () => 503));
  expect(answers["api"]).toEqual([]);
  discovery.arrived(() => true);
  expect(
    Object.values(answers)
      .flat()
      .filter((answer) => answer === "there"),
  ).toHaveLength(4 * each + 1);
  call("more");
  expect(answers["more"]).toEqual([]);
});

test("the same name of two local services is one name for the controller, and each is answered", () => {
  call("api", "web");
  call("api", "shop");
  expect(discovery.wanted()).toEqual(["api"]);
  discovery.missing(["api"]);
  expect(answers).toEqual({ api: [404, 404] });
});

test("nobody is left waiting when it closes", () => {
  call("api");
  discovery.close();
  expect(answers).toEqual({ api: [503] });
});
