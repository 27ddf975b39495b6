/** dist/heddle as people get it: quick to answer, and unmoved by the folder it is started in. */
import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { binaryMissing, binaryPath } from "../../compile/repository.ts";

/** Of processor time. */
const versionMs = 50;
const folder = mkdtempSync(join(tmpdir(), "heddle-binary-"));
afterAll(() => rmSync(folder, { recursive: true }));

function heddle(args: readonly string[], env: Record<string, string> = {}) {
  const answer = Bun.spawnSync([binaryPath, ...args], { cwd: folder, env: { HOME: folder, ...env } });
  const processorMs = Number(answer.resourceUsage.cpuTime.total) / 1_000;
  return {
    code: answer.exitCode,
    out: answer.stdout.toString(),
    err: answer.stderr.toString(),
    processorMs,
  };
}

describe.skipIf(binaryMissing)("dist/heddle", () => {
  test(`tells its version and commit in under ${versionMs} ms of a processor`, () => {
    const runs = Array.from({ length: 7 }, () => heddle(["version"]));
    for (const run of runs) expect([run.code, run.err]).toEqual([0, ""]);
    expect(runs[0]?.out).toMatch(/\d+\.\d+\.\d+.*[0-9a-f]{7}/);
    // The cheapest: caches may have been cold.
    expect(Math.min(...runs.map((run) => run.processorMs))).toBeLessThan(versionMs);
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
