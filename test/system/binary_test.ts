/** dist/heddle as people get it: quick to answer, and unmoved by the folder it is started in. */
import { afterAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { binaryMissing, binaryPath } from "../../compile/repository.ts";

const versionMs = 50;
const folder = mkdtempSync(join(tmpdir(), "heddle-binary-"));
afterAll(() => rmSync(folder, { recursive: true }));

function heddle(args: readonly string[], env: Record<string, string> = {}) {
  const started = performance.now();
  const answer = spawnSync(binaryPath, args, {
    cwd: folder,
    env: { HOME: folder, ...env },
    encoding: "utf8",
  });
  return { code: answer.status, out: answer.stdout, err: answer.stderr, ms: performance.now() - started };
}

describe.skipIf(binaryMissing)("dist/heddle", () => {
  test(`tells its version and commit in under ${versionMs} ms`, () => {
    const runs = Array.from({ length: 7 }, () => heddle(["version"]));
    for (const run of runs) expect([run.code, run.err]).toEqual([0, ""]);
    expect(runs[0]?.out).toMatch(/\d+\.\d+\.\d+.*[0-9a-f]{7}/);
    // The quickest: another program may have had the processor.
    expect(Math.min(...runs.map((run) => run.ms))).toBeLessThan(versionMs);
  });

  test("says the same in a folder that tries to change it", () => {
    const before = heddle(["version"]);
    const evil = join(folder, "evil.ts");
    writeFileSync(join(folder, "bunfig.toml"), `preload = ["${evil}"]\n[run]\npreload = ["${evil}"]\n`);
    writeFileSync(join(folder, ".env"), "HEDDLE_STATE=/hostile\nBUN_OPTIONS=--preload ./evil.ts\n");
    writeFileSync(
      evil,
      'import { writeFileSync } from "node:fs"; writeFileSync("was-here", "x"); console.log("EVIL");',
    );
    writeFileSync(join(folder, "package.json"), '{ "name": "evil", "type": "commonjs" }');
    const after = heddle(["version"]);
    expect([after.code, after.out, after.err]).toEqual([0, before.out, ""]);
    expect(existsSync(join(folder, "was-here"))).toBe(false);
  });

  test("answers a command it does not know with exit code 2 and no stack", () => {
    const answer = heddle(["weave"]);
    expect(answer.code).toBe(2);
    expect(answer.err).toContain("weave");
    expect(answer.err).not.toMatch(/^\s+at /m);
  });
});
