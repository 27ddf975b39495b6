/** What a sealed process says is doubted: whatever it is, it costs the process and its own policy, and nobody else. */
import { describe, expect, test } from "bun:test";
import { limits } from "../../../src/model/limits.ts";
import type { PolicyAnswer } from "../../../src/policy/policy_call.ts";
import { frameKinds, type FrameKind } from "../../../src/policy/protocol.ts";
import type { FakePolicyProcess } from "../../support/fake_policy_process.ts";
import { answersText, Hosting } from "../../support/hosting.ts";

/** Two policies with a process each, and a call under way to both. */
async function two(): Promise<{
  hosting: Hosting;
  bad: FakePolicyProcess;
  good: FakePolicyProcess;
  badId: number;
  goodId: number;
  badBatch: number;
  goodBatch: number;
  badAnswers: PolicyAnswer[];
  goodAnswers: PolicyAnswer[];
}> {
  const hosting = new Hosting();
  const goodId = await hosting.loaded("good");
  const good = hosting.processes.last;
  const badId = await hosting.loaded("bad");
  const bad = hosting.processes.last;
  hosting.ask("good");
  hosting.ask("good");
  const goodAnswers = hosting.ask("good");
  const badAnswers = hosting.ask("bad");
  const goodBatch = await hosting.batchOf(good);
  const badBatch = await hosting.batchOf(bad);
  return { hosting, bad, good, badId, goodId, badBatch, goodBatch, badAnswers, goodAnswers };
}

const { answers, answered, bound, loaded, lost, ready } = frameKinds;
const one = answersText(0, 0, [1, '{"do":"next"}']);
const lostText = { busyUs: 0, reason: "it hangs", batches: [], restarted: true };

/** Kind, number of the policy (null: the right one), number of the batch (null: the right one), text. */
const breaches: Readonly<Record<string, readonly [number, number | null, number | null, unknown]>> = {
  "answers that are no numbers": [answers, null, null, "hello"],
  "answers that are JSON of another shape": [answered, null, null, [0, 0, [1], ["x"]]],
  "answers whose lengths lie": [answered, null, null, "0,0,1,99;x"],
  "no answers at all": [answers, null, null, "0,0;"],
  "fewer answers than it was asked": [answered, null, null, "0,0;"],
  "more answers than it was asked": [answered, null, null, answersText(0, 0, [1, "1"], [1, "2"])],
  "answers that begin further on": [answered, null, null, answersText(1, 0, [1, "1"])],
  "answers to a batch that it was not asked": [answered, null, 4_000_000_000, one],
  "a result of options that nobody asked about": [bound, null, 999, { issues: [] }],
  "that it has loaded again": [loaded, null, 0, "{}"],
  "that it is ready again": [ready, 0, 0, { sealed: true, why: null }],
  "that it is ready in other words": [ready, 0, 0, "yes"],
  "a lost worker in other words": [lost, null, 0, { ...lostText, more: 1 }],
  "a lost worker, and no JSON": [lost, null, 0, "{"],
  "a lost worker that was busy less than no time": [lost, null, 0, { ...lostText, busyUs: -1 }],
  "a lost worker with a reason without end": [lost, null, 0, { ...lostText, reason: "x".repeat(100_000) }],
  "a lost worker with the batch of somebody else": [lost, null, 0, { ...lostText, batches: [77] }],
  "a frame of a kind that does not exist": [99, null, 0, "{}"],
  "a frame that only the proxy sends": [frameKinds.load, null, 0, "{}"],
};

describe("a process that says", () => {
  for (const [name, [kind, id, number, text]] of Object.entries(breaches)) {
    test(`${name} is ended, its call fails, and nobody else is hurt`, async () => {
      const at = await two();
      at.bad.say(kind as FrameKind, id ?? at.badId, number ?? at.badBatch, text);
      expect(at.bad.killed).toEqual(["SIGKILL"]);
      expect(at.badAnswers).toMatchObject([{ ok: false, reason: expect.stringContaining("protocol") }]);
      expect([at.good.killed, at.goodAnswers]).toEqual([[], []]);
      at.good.say(answered, at.goodId, at.goodBatch, answersText(0, 0, [1, "1"], [1, "2"], [1, "3"]));
      expect(at.goodAnswers).toEqual([{ ok: true, decision: 3, us: 1 }]);
      await at.hosting.clock.advance(limits.policyRespawnMs + 1);
      expect(at.hosting.processes.lives).toHaveLength(3);
      expect(at.hosting.state("bad")).toBe("waiting");
    });
  }

  test("a frame longer than any is ended before it is kept", async () => {
    const at = await two();
    const head = new Uint8Array(13);
    new DataView(head.buffer).setUint32(0, 0xfffffff0, true);
    at.bad.write(head);
    expect(at.bad.killed).toEqual(["SIGKILL"]);
    expect(at.badAnswers).toMatchObject([{ ok: false, reason: expect.stringContaining("is longer than") }]);
  });

  test("answers of another policy's batch is ended; the other gets what its own process says", async () => {
    const at = await two();
    at.hosting.ask("bad");
    await at.hosting.batchOf(at.bad);
    const foreign = answersText(0, 0, ...Array<[number, string]>(3).fill([1, '{"do":"respond"}']));
    at.bad.say(answered, at.goodId, at.goodBatch, foreign);
    expect(at.goodAnswers).toEqual([]);
    at.good.say(answered, at.goodId, at.goodBatch, answersText(0, 0, [1, "1"], [1, "2"], [1, "3"]));
    expect(at.goodAnswers).toEqual([{ ok: true, decision: 3, us: 1 }]);
  });

  test("answers for another version of its policy is ended, and neither is answered by the other", async () => {
    const hosting = new Hosting();
    const first = await hosting.loaded("v1");
    hosting.load("v2", "closed", { name: "v1" });
    const process = hosting.processes.last;
    const second = await hosting.getLoaded(process);
    expect([hosting.processes.lives.length, first === second]).toEqual([1, false]);
    const one = hosting.ask("v1");
    const batch = await hosting.batchOf(process);
    process.say(answered, second, batch, answersText(0, 0, [1, "1"]));
    expect([one[0]?.ok, process.killed]).toEqual([false, ["SIGKILL"]]);
  });

  test("a breach for one of several policies is held against that one, and not against those that ran", async () => {
    const hosting = new Hosting();
    for (const name of ["good", "bad"]) hosting.load(name, "closed", { shipped: true });
    for (let time = 0; time < limits.policyTripsMax; time++) {
      const process = hosting.processes.last;
      process.ready();
      await hosting.clock.advance(1);
      const [goodId = 0, badId = 0] = process.of(frameKinds.load).map((frame) => frame.first);
      for (const id of [goodId, badId]) process.say(loaded, id, 0, "{}");
      // What it has answered makes the next life come soon.
      hosting.ask("good");
      process.say(answered, goodId, await hosting.batchOf(process), one);
      hosting.ask("good");
      await hosting.batchOf(process);
      process.say(loaded, badId, 0, "{}");
      expect(process.killed).toEqual(["SIGKILL"]);
      await hosting.clock.advance(limits.policyRespawnMs + 1);
    }
    expect([hosting.state("good"), hosting.state("bad")]).toEqual(["waiting", "quarantined"]);
  });

  test("an answer that is no JSON fails that call alone, counts against the policy, and stays", async () => {
    const hosting = new Hosting();
    const id = await hosting.loaded("a");
    const [first, second] = [hosting.ask("a"), hosting.ask("a")];
    const batch = await hosting.batchOf(hosting.processes.last);
    hosting.processes.last.say(answered, id, batch, answersText(0, 0, [1, "],[1"], [1, "2"]));
    expect([first, second]).toEqual([
      [{ ok: false, reason: "its answer is no JSON", us: 1 }],
      [{ ok: true, decision: 2, us: 1 }],
    ]);
    expect(hosting.processes.last.killed).toEqual([]);
  });

  for (const [name, text] of Object.entries({
    "of very many parts": `{"do":"next","x":[${"{},".repeat(50_000)}0]}`,
    "of many parts that are said again": `{${'"do":"next",'.repeat(10_000)}"do":"next"}`,
    "nested very deeply": `{"do":"next","x":${"[".repeat(50_000)}${"]".repeat(50_000)}}`,
    "that is longer than its worker may hand on": `{"do":"next","x":"${"x".repeat(limits.policyMessageBytesMax)}"}`,
  })) {
    test(`an answer ${name} is not read, and counts against the policy`, async () => {
      const at = await two();
      for (let failure = 1; failure < limits.policyTripsMax; failure++) at.hosting.host.trip("bad", "before");
      at.bad.say(answered, at.badId, at.badBatch, answersText(0, 0, [1, text]));
      expect(at.badAnswers).toMatchObject([
        { ok: false, reason: expect.stringMatching(/its answer (is|has)/) },
      ]);
      expect([at.bad.killed, at.hosting.state("bad")]).toEqual([[], "quarantined"]);
    });
  }

  test("a failure is told of while it is new, though it puts nothing aside", async () => {
    const hosting = new Hosting();
    await hosting.loaded("bad");
    expect(hosting.detail("bad")).toBe("");
    for (const reason of ["one", "two"]) hosting.host.trip("bad", reason);
    expect([hosting.state("bad"), hosting.detail("bad")]).toEqual([
      "ready",
      "2 of its calls failed within 60 s, the last: two",
    ]);
    await hosting.clock.advance(limits.policyTripWindowMs);
    expect(hosting.detail("bad")).toBe("");
  });

  test("an answer is read however many marks stand in its texts", async () => {
    const at = await two();
    const decision = {
      do: "respond",
      status: 200,
      reason: "",
      body: '{"a":[1,\\"2\\"],},,\\\\'.repeat(5_000),
    };
    at.bad.say(answered, at.badId, at.badBatch, answersText(0, 0, [1, JSON.stringify(decision)]));
    expect(at.badAnswers).toEqual([{ ok: true, decision, us: 1 }]);
  });

  test("very much of policies that were taken from it is ended, as very often is", async () => {
    const at = await two();
    at.hosting.host.trip("bad", "once");
    at.hosting.load("bad2", "closed", { name: "bad" });
    at.hosting.host.retain(new Set(["good", "bad2"]));
    const late = "x".repeat(limits.policyFrameBytesMax - 1);
    for (let frame = 0; frame < 5; frame++) at.bad.say(answers, at.badId, at.badBatch, late);
    expect(at.bad.killed).toEqual([]);
    for (let frame = 0; frame < 60; frame++) at.bad.say(answers, at.badId, at.badBatch, late);
    expect(at.bad.killed).toEqual(["SIGKILL"]);
  });

  test("something of a policy that was just taken from it is late, and no fault", async () => {
    const hosting = new Hosting();
    const id = await hosting.loaded("v1");
    hosting.load("v2", "closed", { name: "v1" });
    hosting.ask("v1");
    const process = hosting.processes.last;
    const batch = await hosting.batchOf(process);
    hosting.host.retain(new Set(["v2"]));
    process.say(answered, id, batch, one);
    expect(process.killed).toEqual([]);
    for (let time = 0; time < limits.policyLateFramesMax; time++) process.say(answered, id, batch, one);
    expect(process.killed).toEqual(["SIGKILL"]);
  });

  test("what ends it fails calls of that turn too, which had not left, and those that come after wait for the next", async () => {
    const at = await two();
    const unsent = at.hosting.ask("bad");
    at.bad.say(99 as FrameKind, at.badId, 0, "{}");
    expect([at.badAnswers, unsent]).toMatchObject([[{ ok: false }], [{ ok: false }]]);
    const later = at.hosting.ask("bad");
    await at.hosting.clock.advance(limits.policyRespawnMs + 1);
    const next = at.hosting.processes.last;
    const id = await at.hosting.getReady(next);
    const batch = await at.hosting.batchOf(next);
    next.say(answered, id, batch, answersText(0, 0, [1, "1"]));
    expect([next.of(frameKinds.calls).length, later]).toEqual([1, [{ ok: true, decision: 1, us: 1 }]]);
  });

  test("anything before it is ready is ended", () => {
    const hosting = new Hosting();
    hosting.load("a");
    const process = hosting.processes.last;
    process.say(loaded, 1, 0, "{}");
    expect(process.killed).toEqual(["SIGKILL"]);
  });
});

test("a process that ends is nothing to the calls of another", async () => {
  const at = await two();
  at.bad.options.exited(null, "SIGSEGV");
  expect([at.badAnswers[0]?.ok, at.goodAnswers]).toEqual([false, []]);
});

describe("what the policy itself says wrong", () => {
  test("of its options is an issue of those options", async () => {
    const hosting = new Hosting();
    const id = await hosting.loaded("a");
    const checked = hosting.host.check("a", {});
    await hosting.clock.advance(1);
    const process = hosting.processes.last;
    const bind = process.of(frameKinds.bind).at(-1)?.second as number;
    process.say(bound, id, bind, { do: "fail", reason: "it threw" });
    expect((await checked).issues[0]?.message).toContain("nobody can read");
    expect(process.killed).toEqual([]);
  });

  test("of itself means that it cannot be loaded", async () => {
    const hosting = new Hosting();
    hosting.load("a");
    const process = hosting.processes.last;
    process.ready();
    await hosting.clock.advance(1);
    const id = process.of(frameKinds.load)[0]?.first as number;
    process.say(loaded, id, 0, "no JSON");
    expect([hosting.state("a"), process.killed]).toEqual(["broken", []]);
  });
});

describe("a policy that was put aside", () => {
  async function aside(onError: "open" | "closed" = "closed"): Promise<Hosting> {
    const hosting = new Hosting();
    hosting.load("a", onError);
    const id = await hosting.getReady(hosting.processes.last);
    for (let time = 0; time < limits.policyTripsMax; time++)
      hosting.processes.last.say(lost, id, 0, lostText);
    expect(hosting.state("a")).toBe("quarantined");
    return hosting;
  }

  test("is not asked before its wait is over, then by one call, and is back when that goes well", async () => {
    const hosting = await aside();
    await hosting.clock.advance(limits.policyQuarantineMs - 1);
    const early = hosting.ask("a");
    await hosting.clock.advance(1);
    expect(early).toMatchObject([{ ok: false, reason: expect.stringContaining("5 times") }]);
    const [trial, beside] = [hosting.ask("a"), hosting.ask("a")];
    await hosting.clock.advance(0);
    expect([trial, beside[0]?.ok, hosting.state("a")]).toEqual([[], false, "trial"]);
    const process = hosting.processes.last;
    const id = await hosting.getLoaded(process);
    const batch = await hosting.batchOf(process);
    process.say(answered, id, batch, one);
    expect([trial[0]?.ok, hosting.state("a")]).toEqual([true, "ready"]);
    expect(hosting.reports.at(-1)).toContain("is asked again");
  });

  test("is back once it has decided, not when it says that it waits for something", async () => {
    const hosting = await aside();
    await hosting.clock.advance(limits.policyQuarantineMs);
    const trial = hosting.ask("a");
    const process = hosting.processes.last;
    const id = await hosting.getLoaded(process);
    const wait = '{"do":"wait","ticket":1,"wants":[]}';
    process.say(answered, id, await hosting.batchOf(process), answersText(0, 0, [1, wait]));
    expect([trial[0]?.ok, hosting.state("a")]).toEqual([true, "trial"]);
    hosting.ask("a", undefined, undefined, 1);
    process.say(answered, id, await hosting.batchOf(process), one);
    expect(hosting.state("a")).toBe("ready");
  });

  test("stays aside for longer when its trial fails", async () => {
    const hosting = await aside();
    await hosting.clock.advance(limits.policyQuarantineMs);
    const trial = hosting.ask("a");
    const process = hosting.processes.last;
    const id = await hosting.getLoaded(process);
    const batch = await hosting.batchOf(process);
    process.say(lost, id, 0, { ...lostText, batches: [batch] });
    expect([trial[0]?.ok, hosting.state("a")]).toEqual([false, "quarantined"]);
    await hosting.clock.advance(2 * limits.policyQuarantineMs - 2);
    hosting.ask("a");
    expect(hosting.state("a")).toBe("quarantined");
    await hosting.clock.advance(2);
    hosting.ask("a");
    expect(hosting.state("a")).toBe("trial");
  });

  test("and fails a trial by an answer that its caller finds fault with stays aside", async () => {
    const hosting = await aside();
    await hosting.clock.advance(limits.policyQuarantineMs);
    hosting.ask("a", () => hosting.host.trip("a", "it decided nonsense"));
    const process = hosting.processes.last;
    const id = await hosting.getLoaded(process);
    process.say(answered, id, await hosting.batchOf(process), one);
    expect(hosting.state("a")).toBe("quarantined");
  });

  test("is loaded for its trial without a call when it fails open, and has it by the next one", async () => {
    const hosting = await aside("open");
    await hosting.clock.advance(limits.policyQuarantineMs);
    const early = hosting.ask("a");
    const process = hosting.processes.last;
    const id = await hosting.getLoaded(process);
    const trial = hosting.ask("a");
    process.say(answered, id, await hosting.batchOf(process), one);
    expect([early[0]?.ok, trial[0]?.ok, hosting.state("a")]).toEqual([false, true, "ready"]);
  });

  test("has no process while there is none to be had, and gets one for its trial", async () => {
    const hosting = await aside();
    hosting.processes.last.options.exited(1, null);
    await hosting.clock.advance(limits.policyQuarantineMs);
    expect(hosting.processes.lives).toHaveLength(1);
    hosting.ask("a");
    expect(hosting.processes.lives).toHaveLength(2);
  });

  test("because it could not be loaded is tried too", async () => {
    const hosting = new Hosting();
    hosting.load("a");
    const process = hosting.processes.last;
    process.ready();
    await hosting.clock.advance(1);
    const id = process.of(frameKinds.load)[0]?.first as number;
    process.say(lost, id, 0, { ...lostText, restarted: false });
    expect(hosting.state("a")).toBe("broken");
    await hosting.clock.advance(limits.policyQuarantineMs);
    const asked = hosting.ask("a");
    const again = await hosting.getLoaded(process);
    process.say(answered, again, await hosting.batchOf(process), one);
    expect([asked[0]?.ok, hosting.state("a")]).toEqual([true, "ready"]);
  });
});
