/**
 * The binary for arm64, as far as an emulator of its processor carries it: what starts no sealed process, since what an emulated one
 * knows as itself (/proc/self/exe) is the emulator, which ends with 127. The numbers that its seal is made of are held by test/unit/policy/system_calls_test.ts.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { compileBinary } from "../../compile/binary.ts";
import { binaryMissing } from "../../compile/repository.ts";
import { binaryOf, targets } from "../../compile/targets.ts";
import { testMs } from "../support/patience.ts";
import { hasProgram, plainEnvironment } from "../support/processes.ts";

/** Of Debian: libc6-arm64-cross and libstdc++6-arm64-cross. */
const libraries = "/usr/aarch64-linux-gnu";
const why = whyNone();

function whyNone(): string | null {
  if (binaryMissing) return "there is no dist/heddle";
  if (!hasProgram("qemu-aarch64-static")) return "there is no qemu-aarch64-static";
  return existsSync(`${libraries}/lib/ld-linux-aarch64.so.1`) ? null : "there are no libraries of arm64";
}

describe.skipIf(why !== null)(`the binary for arm64${why === null ? "" : ` (skipped: ${why})`}`, () => {
  const folder = mkdtempSync(`${tmpdir()}/heddle-arm64-`);
  const binary = binaryOf(targets.arm64);

  beforeAll(() => compileBinary({ verbose: false, target: targets.arm64 }), 3 * testMs);
  afterAll(() => rmSync(folder, { recursive: true }));

  function heddle(...args: readonly string[]) {
    const env = plainEnvironment({ QEMU_LD_PREFIX: libraries });
    return spawnSync("qemu-aarch64-static", [binary, ...args], { encoding: "utf8", env });
  }

  test(
    "tells its version, makes a mesh, and backs it up",
    () => {
      expect(heddle("version").stdout).toMatch(/^heddle \d/);
      const at = ["--address", "127.0.0.1", "--node", "vm-1"];
      const made = heddle("init", "--no-start", "--state", `${folder}/state`, ...at);
      expect([made.status, made.stderr]).toEqual([
        0,
        expect.stringContaining("This machine is vm-1 of the new mesh"),
      ]);
      const kept = heddle("backup", `${folder}/backup`, "--state", `${folder}/state`);
      expect([kept.status, kept.stderr]).toEqual([0, ""]);
    },
    3 * testMs,
  );

  test(
    "refuses every policy where no process can be sealed, rather than run it without",
    () => {
      mkdirSync(`${folder}/mesh/policies`, { recursive: true });
      const source = `import { definePolicy, next } from "heddle/policy";
export default definePolicy({ api: 1, name: "plain", version: "1.0.0", onError: "closed", onRequest: () => next() });
`;
      writeFileSync(`${folder}/mesh/policies/plain.ts`, source);
      const { status, stderr, stdout } = heddle("validate", `${folder}/mesh`);
      expect([status, `${stdout}${stderr}`]).toEqual([
        1,
        expect.stringMatching(/policies\/plain\.ts:1:1: error: Cannot compile it: it ended with 127/),
      ]);
    },
    testMs,
  );
});
