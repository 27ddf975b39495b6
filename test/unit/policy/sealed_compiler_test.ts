/** What the compiler answers is data of a stranger: what does not fit is an issue of that push, and the process is ended. */
import { describe, expect, test } from "bun:test";
import { limits } from "../../../src/model/limits.ts";
import type { PolicySource } from "../../../src/policy/policy_source.ts";
import { frameKinds } from "../../../src/policy/protocol.ts";
import { compileSealed, type CompileAnswer } from "../../../src/policy/sealed_compiler.ts";
import { ManualClock } from "../../support/clock.ts";
import { FakePolicyProcess, FakePolicyProcesses } from "../../support/fake_policy_process.ts";

const sources: readonly PolicySource[] = [
  { file: "policies/a.ts", text: "a" },
  { file: "policies/b.ts", text: "b" },
];
const meta = { name: "a", version: "1.0.0", api: 1, onError: "open", cpuMs: 2, waitMs: 50, hooks: [] };
const script = { file: "policies/a.ts", text: "script", meta };
const issue = { file: "policies/b.ts", line: 2, column: 3, severity: "error", message: "wrong" };

interface Compiling {
  readonly process: FakePolicyProcess;
  readonly clock: ManualClock;
  readonly processes: FakePolicyProcesses & { processorMs: number };
  readonly unsealed: string[];
  readonly answer: Promise<CompileAnswer>;
}

function compile(push = sources): Compiling {
  const clock = new ManualClock();
  const unsealed: string[] = [];
  const processes = Object.assign(new FakePolicyProcesses(clock), {
    processorMs: 0,
    processorMsOf: (): number => processes.processorMs,
  });
  const answer = compileSealed(
    { process: processes, clock, unsealed: (why) => void unsealed.push(why) },
    push,
  );
  return { process: processes.last, clock, processes, unsealed, answer };
}

/** The process failed: one issue where it was, and it lives no more. */
async function expectFailed(
  { answer, process }: Compiling,
  says: RegExp,
  file = "policies/a.ts",
): Promise<void> {
  const { scripts, issues, failed } = await answer;
  expect([scripts, failed]).toEqual([[], true]);
  expect(issues).toEqual([
    { file, line: 1, column: 1, severity: "error", message: expect.stringMatching(says) },
  ]);
  expect(issues[0]?.message.length).toBeLessThanOrEqual(limits.policyIssueLengthMax);
  expect(process.killed).toEqual(["SIGKILL"]);
}

describe("the sealed compiler", () => {
  test("answers with scripts or with issues, and is ended then", async () => {
    const first = compile();
    first.process.ready();
    first.process.say(frameKinds.compiled, 0, 0, script);
    first.process.say(frameKinds.compiledAll, 1, 0, []);
    expect(await first.answer).toEqual({ scripts: [script as never], issues: [], failed: false });
    expect(first.process.killed).toEqual(["SIGKILL"]);
    const second = compile();
    second.process.say(frameKinds.compiledAll, 0, 0, [issue]);
    expect(await second.answer).toEqual({ scripts: [], issues: [issue as never], failed: false });
  });

  test("that is not sealed is told of", async () => {
    const there = compile();
    there.process.say(frameKinds.ready, 0, 0, { sealed: false, why: "no Landlock" });
    there.process.say(frameKinds.compiledAll, 0, 0, []);
    await there.answer;
    expect(there.unsealed).toEqual(["no Landlock"]);
  });

  test("that says what cannot be read fails that push alone", async () => {
    const wrong: readonly (readonly [kind: number, first: number, text: unknown])[] = [
      [frameKinds.ready, 0, "{"],
      [frameKinds.ready, 0, { sealed: "yes", why: null }],
      [frameKinds.ready, 0, { sealed: true, why: "x".repeat(10_000) }],
      [frameKinds.compiledAll, 0, ""],
      [frameKinds.compiledAll, 0, "[".repeat(1_000_000)],
      [frameKinds.compiledAll, 0, "null"],
      [frameKinds.compiledAll, 0, { issues: [] }],
      [frameKinds.compiledAll, 0, [{ ...issue, file: "mesh.yaml" }]],
      [frameKinds.compiledAll, 0, [{ ...issue, line: 0 }]],
      [frameKinds.compiledAll, 0, [{ ...issue, line: 1.5 }]],
      [frameKinds.compiledAll, 0, [{ ...issue, column: -1 }]],
      [frameKinds.compiledAll, 0, [{ ...issue, column: 1e9 }]],
      [frameKinds.compiledAll, 0, [{ ...issue, severity: "warning" }]],
      [frameKinds.compiledAll, 0, [{ ...issue, message: "" }]],
      [frameKinds.compiledAll, 0, [{ ...issue, message: "x".repeat(10_000) }]],
      [frameKinds.compiledAll, 0, [{ ...issue, more: 1 }]],
      [frameKinds.compiledAll, 0, Array.from({ length: 51 }, () => issue)],
      [frameKinds.compiledAll, 1, []],
      [frameKinds.compiled, 0, "\u0000"],
      [frameKinds.compiled, 0, []],
      [frameKinds.compiled, 0, { ...script, file: "policies/c.ts" }],
      [frameKinds.compiled, 0, { ...script, text: "" }],
      [frameKinds.compiled, 0, { ...script, text: 1 }],
      [frameKinds.compiled, 0, { ...script, text: "x".repeat(3_000_000) }],
      [frameKinds.compiled, 0, { ...script, meta: { ...meta, name: "Not A Name" } }],
      [frameKinds.compiled, 0, { ...script, meta: { ...meta, name: "x".repeat(64) } }],
      [frameKinds.compiled, 0, { ...script, meta: { ...meta, onError: "maybe" } }],
      [frameKinds.compiled, 0, { ...script, meta: { ...meta, cpuMs: 1e6 } }],
      [frameKinds.compiled, 0, { ...script, meta: { ...meta, cpuMs: null } }],
      [frameKinds.compiled, 0, { ...script, meta: { ...meta, more: 1 } }],
      [frameKinds.compiled, 0, { ...script, hash: "0" }],
      [frameKinds.compiling, 2, ""],
      [frameKinds.loaded, 0, "{}"],
      [255, 0, ""],
    ];
    for (const [kind, first, text] of wrong) {
      const there = compile();
      there.process.say(kind as never, first, 0, text);
      await expectFailed(there, /its answer cannot be read/);
    }
  });

  test("that gives two scripts for one file or name, more scripts than files, or scripts with issues, fails", async () => {
    const other = { ...script, file: "policies/b.ts" };
    for (const [scripts, issues] of [
      [[script, script], []],
      [[script, other], []],
      [[script, other, other], []],
      [[script], [issue]],
    ] as const) {
      const there = compile();
      for (const each of scripts) there.process.say(frameKinds.compiled, 0, 0, each);
      there.process.say(frameKinds.compiledAll, scripts.length, 0, issues);
      await expectFailed(there, /its answer cannot be read/);
    }
  });

  test("that goes fails the push, at the file it worked on", async () => {
    const there = compile();
    there.process.say(frameKinds.compiling, 1, 0, "");
    there.process.options.exited(null, "SIGSEGV");
    await expectFailed(there, /it ended with SIGSEGV/, "policies/b.ts");
  });

  test("is ended by its processor time, far above it by time, and by its memory", async () => {
    const busy = compile();
    busy.clock.advance(limits.policyBundleMs * 2);
    busy.processes.processorMs = limits.policyBundleMs + 10;
    busy.clock.advance(limits.policyHostWatchMs);
    await expectFailed(busy, /10000 ms of processor time/);
    const idle = compile();
    idle.clock.advance(limits.policyBundleWallMs + limits.policyHostWatchMs);
    await expectFailed(idle, /longer than 60000 ms/);
    const large = compile();
    large.processes.residentBytes = limits.policyCompilerBytesMax + 1;
    large.clock.advance(limits.policyHostWatchMs);
    await expectFailed(large, /768 MiB of memory/);
  });

  test("that cannot be started fails the push, which may be tried again", async () => {
    const clock = new ManualClock();
    const processes = new FakePolicyProcesses(clock);
    processes.failing = "Cannot start heddle: EAGAIN";
    const { failed, issues } = await compileSealed({ process: processes, clock, unsealed() {} }, sources);
    expect(failed).toBe(true);
    expect(issues).toMatchObject([{ file: "policies/a.ts", message: expect.stringContaining("EAGAIN") }]);
  });

  test("is not started for a push that is refused by its size or names", async () => {
    const clock = new ManualClock();
    const processes = Object.assign(new FakePolicyProcesses(clock), { processorMsOf: () => 0 });
    const options = { process: processes, clock, unsealed: () => {} };
    for (const push of [
      [{ file: "../a.ts", text: "" }],
      [{ file: "a.ts", text: "x".repeat(limits.policyBundleBytesMax + 1) }],
      [{ file: "a.ts", text: "\u0001".repeat(limits.policyBundleBytesMax) }],
    ]) {
      const { issues, failed } = await compileSealed(options, push);
      expect([issues.length, failed]).toEqual([1, false]);
    }
    expect(processes.lives).toEqual([]);
  });
});
