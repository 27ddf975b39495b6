/** The first thing a newcomer meets: on a machine that cannot run heddle, the boot script says so and does nothing else. */
import { afterAll, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bun, root } from "../../../compile/repository.ts";

const folder = mkdtempSync(join(tmpdir(), "heddle-boot-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** `npm run demo` in a clone without packages, on a machine that says this of itself. */
function demoOn(machine: Readonly<Record<string, string>>) {
  const clone = mkdtempSync(join(folder, "clone-"));
  cpSync(join(root, "compile"), join(clone, "compile"), { recursive: true });
  cpSync(join(root, "package.json"), join(clone, "package.json"));
  const lines = Object.entries(machine).map(
    ([name, value]) => `Object.defineProperty(process, "${name}", { value: "${value}" });`,
  );
  writeFileSync(join(clone, "machine.mjs"), lines.join("\n"));
  const args = ["--preload", join(clone, "machine.mjs"), join(clone, "compile/boot.mjs"), "demo"];
  const answer = spawnSync(bun, args, { cwd: clone, encoding: "utf8" });
  return { clone, code: answer.status, said: `${answer.stdout}${answer.stderr}` };
}

test.each([
  [{ platform: "darwin", arch: "arm64" }, "this is darwin"],
  [{ platform: "win32" }, "this is win32"],
  [{ arch: "arm64" }, "this machine is arm64"],
])("on %p its first line says what heddle needs, and nothing is installed", (machine, reason) => {
  const { clone, code, said } = demoOn(machine);
  expect(said.split("\n")[0]).toStartWith(`heddle needs Linux x64 with glibc: ${reason}`);
  expect(code).toBe(2);
  expect(existsSync(join(clone, "node_modules"))).toBe(false);
});
