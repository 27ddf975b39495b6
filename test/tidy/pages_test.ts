/** The pages of the dashboard: their types are those of a browser, and what they come to is small, whole and asks nobody. */
import { expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { bun, root } from "../../compile/repository.ts";
import { dashboardAssets } from "../../src/app/dashboard_assets.ts";
import { places, readSources } from "./sources.ts";

/** Of all of them together, as they are sent: not compressed. */
const bytesMax = 150_000;

test("have no type error, with the names of a browser", () => {
  const { status, stdout, stderr } = spawnSync(
    bun,
    ["check", "--no-script", "--no-pretty", "-p", "src/dashboard"],
    {
      cwd: root,
      encoding: "utf8",
    },
  );
  expect([status, `${stdout}${stderr}`]).toEqual([0, expect.any(String)]);
});

test(`come to less than ${bytesMax} bytes, uncompressed`, () => {
  const sizes = Object.entries(dashboardAssets).map(
    ([path, { text }]) => [path, Buffer.byteLength(text)] as const,
  );
  expect(sizes.every(([, bytes]) => bytes > 100)).toBe(true);
  expect(sizes.reduce((sum, [, bytes]) => sum + bytes, 0)).toBeLessThan(bytesMax);
});

test("name nothing that is elsewhere, but for the names of markup and of makers", () => {
  // A comment says whose a part is.
  const texts = Object.values(dashboardAssets).map(({ text }) => text.replace(/\/\*!.*?\*\//gs, ""));
  const names = texts.flatMap((text) => text.match(/https?:\/\/[^\s"'`)]+/g) ?? []);
  expect(names.filter((name) => !name.startsWith("http://www.w3.org/"))).toEqual([]);
});

test("make no markup of a text", () => {
  const sources = readSources("src/dashboard");
  const markup = /innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment/g;
  expect(sources.flatMap((file) => places(file, markup))).toEqual([]);
});
