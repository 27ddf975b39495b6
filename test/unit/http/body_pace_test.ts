/** How slow a body may come, by hand: what is looked at, and when. */
import { expect, test } from "bun:test";
import { BodyPace, slowBodyText } from "../../../src/http/body_pace.ts";
import { limits } from "../../../src/model/limits.ts";

/** Looks every second at a body of so many bytes per second; what it finds first, and when. */
function first(
  bytesPerSecond: number,
  awaited: (second: number) => boolean = () => true,
  seconds = 120,
): string {
  const pace = new BodyPace();
  pace.begin(0);
  for (let second = 1; second <= seconds; second++) {
    const nowMs = second * limits.bodyWatchMs;
    const found = pace.look(nowMs, awaited(second), second * bytesPerSecond, nowMs);
    if (found !== null) return `${found} after ${second} s`;
  }
  return "nothing";
}

test("the floor is an average, and counts from its grace on", () => {
  const floor = limits.bodyBytesPerSecondMin;
  expect([first(floor), first(floor - 1), first(1)]).toEqual([
    "nothing",
    "bodyBytesPerSecondMin after 10 s",
    "bodyBytesPerSecondMin after 10 s",
  ]);
});

test("what came early counts for later", () => {
  const pace = new BodyPace();
  pace.begin(0);
  const bytes = 60 * limits.bodyBytesPerSecondMin;
  const found: (string | null)[] = [];
  for (let second = 1; second <= 61; second++)
    found.push(pace.look(second * 1_000, true, bytes, second * 1_000));
  expect(found.slice(0, 60).every((each) => each === null)).toBe(true);
  expect(found[60]).toBe("bodyBytesPerSecondMin");
});

test("only the time counts in which the body is awaited, at both ends of it", () => {
  expect(first(1, (second) => second % 2 === 0)).toBe("nothing");
  expect(first(1, (second) => second > 50)).toBe("bodyBytesPerSecondMin after 61 s");
});

test("a process that stood still blames nobody for that time", () => {
  const pace = new BodyPace();
  pace.begin(0);
  expect(pace.look(1_000, true, 0, 0)).toBeNull();
  expect(pace.look(61_000, true, 0, 0)).toBeNull();
  for (let second = 62; second <= 69; second++) expect(pace.look(second * 1_000, true, 0, 0)).toBeNull();
  expect(pace.look(70_000, true, 0, 0)).toBe("bodyBytesPerSecondMin");
});

test("silence has a limit of its own, from the last byte on or since the body is awaited again", () => {
  const pace = new BodyPace();
  const bytes = 1e6;
  pace.begin(0);
  for (let second = 1; second < 30; second++) expect(pace.look(second * 1_000, true, bytes, 0)).toBeNull();
  expect(pace.look(30_000, true, bytes, 0)).toBe("bodyProgressMs");
  pace.begin(0);
  for (let second = 1; second <= 40; second++) expect(pace.look(second * 1_000, false, bytes, 0)).toBeNull();
  for (let second = 41; second <= 70; second++) expect(pace.look(second * 1_000, true, bytes, 0)).toBeNull();
  expect(pace.look(71_000, true, bytes, 0)).toBe("bodyProgressMs");
});

test("a client is told which of the two it was, and what lets bodies be slow", () => {
  expect(slowBodyText("bodyProgressMs")).toContain("nothing of the body of the request came for 30 s");
  expect(slowBodyText("bodyBytesPerSecondMin")).toContain("240 bytes per second");
  for (const limit of ["bodyProgressMs", "bodyBytesPerSecondMin"] as const)
    expect(slowBodyText(limit)).toContain("stream: true");
});
