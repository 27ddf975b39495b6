/** What a proxy says of itself goes to whoever listens, beside its journal. */
import { expect, test } from "bun:test";
import { createRuntime } from "../../../runtime/bun/runtime.ts";
import { ProxyLogs } from "../../../src/app/proxy_logs.ts";
import { limits } from "../../../src/model/limits.ts";

function started() {
  let nowMs = 1_000;
  const printed: string[] = [];
  const lines = { write: (text: string) => void printed.push(text), flush: () => {}, lost: 0 };
  const runtime = createRuntime();
  const clock = { ...runtime.clock, wallMs: () => nowMs++ };
  const logs = new ProxyLogs({ ...runtime, clock }, null, { out: lines, err: lines });
  return { logs, printed };
}

test("whoever listens first hears what was said before, with its time, and all of it is printed once", () => {
  const { logs, printed } = started();
  const heard: [string, number][] = [];
  logs.log("snapshot 7 is refused");
  const stop = logs.listen((text, atMs) => void heard.push([text, atMs]));
  logs.log("an instance is out");
  stop();
  logs.log("nobody hears this");
  logs.listen((text, atMs) => void heard.push([text, atMs]));
  logs.log("again");
  expect(heard).toEqual([
    ["snapshot 7 is refused", 1_000],
    ["an instance is out", 1_001],
    ["again", 1_003],
  ]);
  expect(printed.length).toBe(4);
});

test("what waits for a listener is bounded: of more the last lines", () => {
  const { logs } = started();
  for (let at = 0; at < 10_000; at++) logs.log(String(at));
  const heard: string[] = [];
  logs.listen((text) => void heard.push(text));
  expect(heard.length).toBe(limits.earlyLogLinesMax);
  expect(heard.at(-1)).toBe("9999");
});
