/**
 * The contract inside a compiled binary, started where nothing of the sources is, and where somebody has laid traps:
 * settings of Bun, variables, and modules with the names that its workers have inside.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawn, spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compileFlags } from "../../../compile/binary.ts";

const folder = mkdtempSync(join(tmpdir(), "heddle-compiled-"));
const binary = join(folder, "program");
const sources = join(import.meta.dir, "../../support/compiled");
afterAll(() => rmSync(folder, { recursive: true }));

beforeAll(() => {
  const answer = spawnSync(
    process.execPath,
    ["build", ...compileFlags, `--outfile=${binary}`, "./main.ts", "./policy/worker.ts"],
    { cwd: sources, encoding: "utf8" },
  );
  if (answer.status !== 0) throw new Error(answer.stderr);
});

/** Runs the program; with `vanish` its file goes away while it runs, before it starts its child. */
async function run(cwd: string, vanish = false): Promise<unknown> {
  const program = join(folder, `copy-${crypto.randomUUID()}`);
  copyFileSync(binary, program);
  const go = join(folder, crypto.randomUUID());
  const running = spawn(program, [go], { cwd, env: {} });
  let out = "";
  running.stdout.on("data", (chunk) => {
    const before = out;
    out += String(chunk);
    if (before.includes("ready") || !out.includes("ready")) return;
    if (vanish) rmSync(program);
    writeFileSync(go, "go");
  });
  await new Promise((resolve) => running.on("close", resolve));
  return JSON.parse(out.replace("ready\n", ""));
}

describe("a compiled program", () => {
  test("starts its workers and itself in an empty folder", async () => {
    const empty = join(folder, "empty");
    mkdirSync(empty);
    expect(await run(empty)).toEqual(["worker hello", "child 0", "clean"]);
  });

  test("is not moved by what lies in the folder it is started in", async () => {
    const hostile = join(folder, "hostile");
    const evil = 'self.onmessage = () => self.postMessage("HOSTILE");';
    for (const below of ["policy", "src/policy"]) {
      mkdirSync(join(hostile, below), { recursive: true });
      for (const name of ["worker.ts", "worker.js"]) writeFileSync(join(hostile, below, name), evil);
    }
    writeFileSync(join(hostile, "bunfig.toml"), 'preload = ["./evil.ts"]\n');
    writeFileSync(join(hostile, "evil.ts"), 'process.env.HOSTILE = "preloaded"; console.log("HOSTILE");');
    writeFileSync(join(hostile, ".env"), "HOSTILE=from .env\n");
    writeFileSync(join(hostile, "package.json"), '{ "type": "commonjs", "imports": { "#x": "./evil.ts" } }');
    writeFileSync(
      join(hostile, "tsconfig.json"),
      '{ "compilerOptions": { "paths": { "*": ["./evil.ts"] } } }',
    );
    expect(await run(hostile)).toEqual(["worker hello", "child 0", "clean"]);
  });

  test("starts itself again after its file was taken away", async () => {
    expect(await run(folder, true)).toEqual(["worker hello", "child 0", "clean"]);
  });
});
