/** The numbers of system calls are those of the kernel's own headers, and the filter of each processor is made of its own. */
import { describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import type { Native } from "../../../runtime/contract.ts";
import { leaksOf } from "../../../src/policy/probe.ts";
import { filterCalls } from "../../../src/policy/seccomp.ts";
import { numberOf, systemCalls } from "../../../src/policy/system_calls.ts";

/** By name, as the compiler finds them in a header; null: it is not there. */
function numbersIn(header: string): ReadonlyMap<string, number> | null {
  const source = `#define __BITS_PER_LONG 64\n#define __ARCH_WANT_RENAMEAT\n#define __ARCH_WANT_SET_GET_RLIMIT\n#define __ARCH_WANT_SYS_CLONE3\n#define __ARCH_WANT_NEW_STAT\n#include <${header}>\n`;
  const answer = spawnSync("cpp", ["-dM"], { input: source, encoding: "utf8" });
  if (answer.status !== 0) return null;
  const raw = new Map(
    [...answer.stdout.matchAll(/^#define (__NR\w+) (\w+)$/gm)].map(([, name = "", value = ""]) => [
      name,
      value,
    ]),
  );
  const valueOf = (name: string): number => {
    const value = raw.get(name) ?? "";
    return raw.has(value) ? valueOf(value) : Number(value);
  };
  return new Map(
    [...raw.keys()].map((name) => [name.replace("__NR_", "").replace("__NR3264_", ""), valueOf(name)]),
  );
}

describe.each([
  ["x64", "x86_64-linux-gnu/asm/unistd_64.h"],
  ["arm64", "asm-generic/unistd.h"],
] as const)("on %s", (architecture, header) => {
  const known = numbersIn(header);

  test.skipIf(known === null)(`every number is that of ${header} (needs cpp and Linux headers)`, () => {
    const wrong = systemCalls.flatMap((call) => {
      const number = numberOf(call, architecture);
      const there = known?.get(call) ?? null;
      return number === there ? [] : [`${call}: ${number}, and ${there} there`];
    });
    expect(wrong).toEqual([]);
  });

  test("the filter names its processor and its own calls", () => {
    const { filter } = filteredBy(architecture);
    const values = Array.from({ length: filter.length / 8 }, (_, at) =>
      new DataView(filter.buffer).getUint32(at * 8 + 4, true),
    );
    expect(values[1]).toBe(architecture === "x64" ? 0xc000003e : 0xc00000b7);
    expect(values).toContain(numberOf("futex", architecture) ?? -1);
    expect(values).not.toContain(numberOf("execve", architecture) ?? -1);
  });
});

test("a processor that nobody has numbers for is not called sealed", () => {
  const native = { architecture: "other", library: () => ({}) } as unknown as Native;
  expect(filterCalls(native, 1, false)).toBe("heddle knows no system calls of this processor");
  expect(leaksOf(native)).not.toEqual([]);
});

/** The filter that the kernel would be given. */
function filteredBy(architecture: "x64" | "arm64"): { readonly filter: Uint8Array } {
  const kept: Uint8Array[] = [];
  const native = {
    architecture,
    address: (bytes: Uint8Array) => BigInt(kept.push(bytes)),
    library: () => ({ prctl: () => 0, syscall: () => 0 }),
  } as unknown as Native;
  expect(filterCalls(native, 1, false)).toBeNull();
  return { filter: kept[0] ?? new Uint8Array(0) };
}
