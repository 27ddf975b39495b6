/** The demo as it is piped into a file: keeps its promises, in plain lines that fit a terminal. */
import { describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { binaryMissing } from "../../compile/repository.ts";
import { ports } from "../../src/model/ports.ts";
import { controlAddress } from "../../src/cli/demo/topology.ts";
import { heddleRunning } from "../support/command.ts";
import { accepts, waitFor } from "../support/processes.ts";
import { testMs } from "../support/patience.ts";

const columns = 100;

describe.skipIf(binaryMissing)("heddle demo", () => {
  test(
    "tells its story to the end, in plain lines of 100 columns, and leaves nothing behind",
    async () => {
      const folder = mkdtempSync(`${tmpdir()}/heddle-demo-test-`);
      // Its addresses are always the same: somebody else on this machine may be watching one just now.
      const free = async () => ((await accepts(controlAddress, ports.controller)) ? null : true);
      await waitFor("no other demo runs", free, { limitMs: testMs, everyMs: 200 });
      const demo = heddleRunning(["demo"], `${folder}/out`);
      await demo.exited;
      const told = demo.output();
      rmSync(folder, { recursive: true });
      expect([demo.ended?.code, told.includes("Every promise was kept.")]).toEqual([0, true]);
      expect(told).not.toContain("\u001b");
      expect(told.split("\n").filter((line) => line.length > columns)).toEqual([]);
      for (const part of [
        /heddle proxy +pid \d+ \(joined with a token of one use\)/,
        /spiffe:\/\/demo\.example\/ns\/default\/sa\/inference +valid for 2[34] h/,
        /orchestrator → inference {2}GET \/generate {2}200, [\d.]+ ms, mTLS/,
        /gateway → orchestrator {2}GET \/answer {2}200, [\d.]+ ms, same machine, in process/,
        /orchestrator → search +\d+ +0 +[\d.]+ +[\d.]+/,
        /→ 403 heddle: embedding\.default may not GET/,
        /✓ 10 requests of everybody: answered by v1\n.*✓ 10 requests of beta users: answered by v2/,
        /kill -9[\s\S]*✓ \d+ requests answered, 0 failed[\s\S]*stop[\s\S]*✓ \d+ requests answered, 0 failed/,
      ])
        expect(told).toMatch(part);
      expect(existsSync(`/tmp/heddle-demo-${demo.pid}`)).toBe(false);
      expect(await accepts(controlAddress, ports.controller)).toBe(false);
    },
    2 * testMs,
  );
});
