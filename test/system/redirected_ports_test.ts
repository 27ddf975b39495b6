/**
 * What the kernel makes of connections of an intercepted unit that come from one source port: by the port it is told who made them. With the
 * rules that heddle loads, in a network namespace of its own.
 */
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { bun } from "../../compile/repository.ts";
import { limits } from "../../src/model/limits.ts";
import { redirectedPorts } from "../../src/model/ports.ts";
import { hasProgram, runProgram } from "../support/processes.ts";
import { testMs } from "../support/patience.ts";

const source = 41_000;
const places = limits.redirectedPorts + 3;
const needed = ["unshare", "ip", "nft", "python3"].filter((program) => !hasProgram(program));
const missing = process.getuid?.() !== 0 ? "root" : needed.length > 0 ? needed.join(", ") : whyNot();

/** Namespaces, rules of nat and control groups by name are not there in every container. */
function whyNot(): string | null {
  try {
    inNamespace(
      "nft add table inet tried && nft add chain inet tried nat '{ type nat hook output priority -110; }'",
    );
    return null;
  } catch {
    return "network namespaces with nat and cgroup2";
  }
}

function inNamespace(command: string): string {
  const own = "mount -t cgroup2 none /sys/fs/cgroup && ip link set lo up";
  return runProgram(["unshare", "--net", "--mount", "sh", "-c", `${own} && ${command}`]);
}

const titleOf = (title: string): string =>
  missing === null ? title : `${title} (skipped: ${missing} missing)`;

test.skipIf(missing !== null)(
  titleOf("keep their source port, and are refused where the kernel would have to change it"),
  () => {
    const folder = mkdtempSync(`${tmpdir()}/heddle-redirected-`);
    try {
      const script = `${import.meta.dir}/../support/redirected_here.ts`;
      const said = inNamespace(`exec ${bun} --no-env-file ${script} ${folder} ${source} ${places}`);
      const seen = JSON.parse(said) as ({ source: number; at: number; called: string } | null)[];
      const kept = seen.slice(0, limits.redirectedPorts);
      expect(kept.map((each) => each?.source)).toEqual(kept.map(() => source));
      expect(new Set(kept.map((each) => each?.at))).toEqual(new Set(redirectedPorts));
      expect(kept.map((each) => each?.called)).toEqual(kept.map((_, at) => `127.100.0.${at + 1}:80`));
      expect(seen.slice(limits.redirectedPorts)).toEqual([null, null, null]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
  testMs,
);
