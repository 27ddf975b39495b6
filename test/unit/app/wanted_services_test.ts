/** What the controller is told that a machine uses, and what of it survives a restart. */
import { beforeEach, expect, test } from "bun:test";
import { WantedServices } from "../../../src/app/wanted_services.ts";
import { limits } from "../../../src/model/limits.ts";
import { ManualClock } from "../../support/clock.ts";

let clock: ManualClock;
let saved: string | null;
let told: string[][];
let missing: string[];
let unconfirmed: string[];
let logs: string[];
let answer: () => Promise<unknown>;

beforeEach(() => {
  clock = new ManualClock();
  saved = null;
  told = [];
  missing = [];
  unconfirmed = [];
  logs = [];
  answer = async () => ({ missing: ["nobody"] });
});

async function start(declared: readonly string[] = []): Promise<WantedServices> {
  const wanted = new WantedServices({
    files: {
      read: async () => (saved === null ? null : new TextEncoder().encode(saved)),
      writeAtomic: async (_path, content) => void (saved = content as string),
    },
    clock,
    path: "uses.json",
    control: {
      call: async (_method, _path, body) => {
        told.push(body as string[]);
        return { status: 200, body: await answer() };
      },
    },
    declared: () => declared,
    unconfirmed: () => unconfirmed,
    missing: (keys) => void missing.push(...keys),
    log: (text) => void logs.push(text),
  });
  await wanted.load();
  return wanted;
}

test("all are told, those that exist before those that may, and only those that exist are kept", async () => {
  const wanted = await start(["db.default"]);
  unconfirmed = ["bogus.default", "db.default"];
  wanted.confirm("api.default");
  expect(wanted.list()).toEqual(["db.default", "api.default", "bogus.default"]);
  await clock.advance(0);
  expect(JSON.parse(saved ?? "")).toEqual(["api.default"]);
  unconfirmed = [];
  expect((await start()).list()).toEqual(["api.default"]);
});

test("a file that names what nobody has heals with the first snapshot, and is bounded before", async () => {
  saved = JSON.stringify([...Array.from({ length: 9_000 }, (_, at) => `bogus-${at}.default`), 7, null]);
  const wanted = await start();
  expect(wanted.list()).toHaveLength(limits.documentsMax);
  wanted.keep((key) => key === "bogus-3.default");
  await clock.advance(0);
  expect(JSON.parse(saved)).toEqual(["bogus-3.default"]);
});

test("a file that is no list is no reason not to start", async () => {
  for (const text of ["{}", "7", "[", ""]) {
    saved = text;
    expect((await start()).list()).toEqual([]);
  }
});

test("the controller is asked at once, then only so often, each time for all that is wanted by then", async () => {
  const wanted = await start();
  for (let at = 0; at < 1_000; at++) {
    unconfirmed = [`bogus-${at}.default`];
    wanted.ask();
  }
  expect(told).toEqual([["bogus-0.default"]]);
  await clock.advance(limits.askEveryMs);
  expect(told).toEqual([["bogus-0.default"], ["bogus-999.default"]]);
  await clock.advance(10 * limits.askEveryMs);
  expect(told).toHaveLength(2);
  expect(missing).toEqual(["nobody", "nobody"]);
});

test("a controller that is away is complained of once, and an older one that says nothing of names is no problem", async () => {
  const wanted = await start();
  answer = () => Promise.reject(new Error("Cannot reach 10.0.0.1:7443"));
  for (let at = 0; at < 3; at++) {
    wanted.ask();
    await clock.advance(limits.askEveryMs);
  }
  expect(logs).toEqual(["cannot ask for services now: Cannot reach 10.0.0.1:7443"]);
  answer = async () => ({});
  wanted.ask();
  await clock.advance(limits.askEveryMs);
  expect(missing).toEqual([]);
});
