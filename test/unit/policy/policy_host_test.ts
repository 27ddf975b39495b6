/** The policy host as the proxy sees it, over a process that the test plays: calls, loads, restarts, CPU time. */
import { describe, expect, test } from "bun:test";
import { limits } from "../../../src/model/limits.ts";
import { frameKinds } from "../../../src/policy/protocol.ts";
import { answersText, Hosting } from "../../support/hosting.ts";

describe("calls", () => {
  test("of one turn travel together, and each is answered once with what was said to it", async () => {
    const hosting = new Hosting();
    const id = await hosting.loaded("a");
    const asked = [hosting.ask("a"), hosting.ask("a"), hosting.ask("a")];
    await hosting.clock.advance(1);
    const [batch, ...more] = hosting.processes.last.of(frameKinds.calls);
    expect([batch?.first, more]).toEqual([id, []]);
    const number = batch?.second as number;
    hosting.processes.last.say(frameKinds.answers, id, number, answersText(0, 0, [5, "1"], [6, "2"]));
    hosting.processes.last.say(frameKinds.answered, id, number, answersText(2, 40, [7, "3"]));
    expect(asked).toEqual([
      [{ ok: true, decision: 1, us: 5 }],
      [{ ok: true, decision: 2, us: 6 }],
      [{ ok: true, decision: 3, us: 7 }],
    ]);
  });

  test("made before the host is ready wait where the policy fails closed, for so long, and no others do", async () => {
    const hosting = new Hosting();
    hosting.load("closed");
    hosting.load("open", "open");
    const [closed, open, late] = [hosting.ask("closed"), hosting.ask("open"), hosting.ask("closed")];
    await hosting.clock.advance(1);
    expect([closed, open.map(({ ok }) => ok)]).toEqual([[], [false]]);
    await hosting.clock.advance(limits.policyReadyMs + limits.policyHostWatchMs);
    expect([...closed, ...late]).toMatchObject([
      { ok: false, reason: expect.stringContaining("not ready within") },
      { ok: false, reason: expect.stringContaining("not ready within") },
    ]);
  });

  test("that were waiting go out once the policy is loaded", async () => {
    const hosting = new Hosting();
    hosting.load("a");
    hosting.ask("a");
    hosting.processes.last.ready();
    await hosting.clock.advance(1);
    expect(hosting.processes.last.of(frameKinds.calls)).toEqual([]);
    const [load] = hosting.processes.last.of(frameKinds.load);
    expect(JSON.parse(load?.text ?? "")).toEqual({ bundle: "bundle of a", cpuMs: 2 });
    hosting.processes.last.say(frameKinds.loaded, load?.first ?? 0, 0, "{}");
    await hosting.clock.advance(1);
    expect(hosting.processes.last.of(frameKinds.calls)).toHaveLength(1);
  });

  test("are refused beyond those that may be under way", async () => {
    const hosting = new Hosting();
    await hosting.loaded("a");
    const asked = Array.from({ length: limits.policyInboxMax + 1 }, () => hosting.ask("a"));
    await hosting.clock.advance(1);
    expect(asked.filter((answers) => answers.length > 0)).toEqual([
      [{ ok: false, reason: `its inbox of ${limits.policyInboxMax} calls is full`, us: 0 }],
    ]);
  });

  test("about bytes on their way leave room for those that decide", async () => {
    const hosting = new Hosting();
    await hosting.loaded("a");
    const watching = Array.from({ length: limits.policyInboxMax }, () =>
      hosting.ask("a", () => {}, undefined, undefined, "onChunk"),
    );
    const deciding = hosting.ask("a");
    await hosting.clock.advance(1);
    const most = limits.policyInboxMax * limits.policyChunkShare;
    expect(watching.filter((answers) => answers.length === 0)).toHaveLength(most);
    expect(deciding).toEqual([]);
  });

  test("of a policy that is unloaded, or whose host is closed, are failed", async () => {
    const hosting = new Hosting();
    await hosting.loaded("a");
    await hosting.loaded("b");
    const [a, b] = [hosting.ask("a"), hosting.ask("b")];
    hosting.host.retain(new Set(["b"]));
    expect([a, b]).toMatchObject([[{ ok: false, reason: "it was unloaded" }], []]);
    hosting.host.close();
    expect(b).toMatchObject([{ ok: false, reason: "the policy host was closed" }]);
  });
});

describe("a host", () => {
  test("that ends fails what it was asked, suspects who ran, and is started again with the same policies", async () => {
    const hosting = new Hosting();
    await hosting.loaded("a");
    const asked = hosting.ask("a");
    await hosting.clock.advance(1);
    hosting.processes.last.options.exited(null, "SIGKILL");
    expect(asked).toMatchObject([{ ok: false, reason: expect.stringContaining("SIGKILL") }]);
    const [process] = hosting.host.status().processes;
    expect([hosting.state("a"), process?.running]).toEqual(["waiting", false]);
    await hosting.clock.advance(limits.policyRespawnMs + 1);
    expect(hosting.processes.lives).toHaveLength(2);
    hosting.processes.last.ready();
    await hosting.clock.advance(1);
    expect(hosting.processes.last.of(frameKinds.load)).toHaveLength(1);
    expect(hosting.processes.last.of(frameKinds.bind)).toHaveLength(1);
  });

  test("that is not sealed gets no policy where none is to run so, also when that is said while it runs", async () => {
    const hosting = new Hosting();
    hosting.host.takeUnsealed(false);
    hosting.load("a");
    const unsealed = { sealed: false, why: "no Landlock" };
    hosting.processes.last.say(frameKinds.ready, 0, 0, unsealed);
    await hosting.clock.advance(1);
    expect(hosting.processes.last.of(frameKinds.load)).toEqual([]);
    const answers = hosting.ask("a");
    await hosting.clock.advance(1);
    expect(answers).toMatchObject([{ ok: false }]);
    const [status] = hosting.host.status().policies;
    expect([status?.state, status?.detail]).toEqual([
      "broken",
      "it could not be loaded: its process is not sealed (no Landlock), and the Mesh says unsealedPolicies: refuse",
    ]);

    const other = new Hosting();
    other.load("a");
    other.processes.last.say(frameKinds.ready, 0, 0, unsealed);
    await other.getLoaded(other.processes.last);
    other.host.takeUnsealed(false);
    expect(other.processes.last.killed).toEqual(["SIGKILL"]);
  });

  test("that takes too much memory is killed with the reason", async () => {
    const hosting = new Hosting();
    await hosting.loaded("a");
    hosting.ask("a");
    hosting.processes.residentBytes = 1e12;
    await hosting.clock.advance(2 * limits.policyHostWatchMs);
    expect(hosting.processes.lives[0]?.killed).toEqual(["SIGKILL"]);
    expect(hosting.reports.join()).toMatch(/MiB of memory/);
  });

  test("that is silent while it is asked is killed for the processor time it takes, or after a time far above it", async () => {
    for (const [cpuMs, withinMs] of [
      [2 * limits.policyHostSilentCpuMs, 2 * limits.policyHostSilentMs],
      [0, limits.policyLoadMs + limits.policyHostSilentMs],
    ] as const) {
      const hosting = new Hosting();
      await hosting.loaded("a");
      const asked = hosting.ask("a");
      await hosting.clock.advance(withinMs - limits.policyHostWatchMs);
      expect(hosting.processes.lives[0]?.killed).toEqual([]);
      hosting.processes.cpuMs = cpuMs;
      await hosting.clock.advance(2 * limits.policyHostWatchMs);
      expect(hosting.processes.lives[0]?.killed).toEqual(["SIGKILL"]);
      expect(asked).toMatchObject([{ ok: false, reason: expect.stringMatching(/silent for/) }]);
    }
  });

  test("that is slow to start on a busy machine is waited for, and puts no policy aside however often that is in vain", async () => {
    const hosting = new Hosting();
    hosting.load("a");
    await hosting.clock.advance(limits.policyLoadMs);
    expect(hosting.processes.lives[0]?.killed).toEqual([]);
    for (let time = 0; time < limits.policyTripsMax; time++) {
      const life = hosting.processes.last;
      await hosting.clock.advance(limits.policyHostStartMs + limits.policyRespawnMaxMs);
      expect(life.killed).toEqual(["SIGKILL"]);
    }
    expect(hosting.state("a")).toBe("waiting");
  });

  test("that takes a processor without ever being ready is killed for that, the second one too", async () => {
    const hosting = new Hosting();
    hosting.load("a");
    for (const [life, cpuMs] of [2 * limits.policyHostSilentCpuMs, 0].entries()) {
      hosting.processes.cpuMs = cpuMs;
      await hosting.clock.advance(2 * limits.policyHostSilentMs);
      const { last } = hosting.processes;
      expect([hosting.processes.lives.length, last.killed]).toEqual([life + 1, []]);
      hosting.processes.cpuMs += 2 * limits.policyHostSilentCpuMs;
      await hosting.clock.advance(2 * limits.policyHostWatchMs);
      expect(last.killed).toEqual(["SIGKILL"]);
    }
  });

  test("puts a policy aside that fails too often", async () => {
    const hosting = new Hosting();
    const id = await hosting.loaded("a");
    for (let time = 0; time < limits.policyTripsMax; time++) {
      const lost = { busyUs: 0, reason: "it hangs", batches: [], restarted: true };
      hosting.processes.last.say(frameKinds.lost, id, 0, lost);
    }
    expect(hosting.state("a")).toBe("quarantined");
    const asked = hosting.ask("a");
    await hosting.clock.advance(1);
    expect(asked).toMatchObject([{ ok: false, reason: expect.stringContaining("5 times") }]);
    expect(hosting.processes.last.of(frameKinds.unload)).toHaveLength(1);
  });

  test("asks the version before one that is put aside, until a trial of that goes well", async () => {
    const hosting = new Hosting();
    const { host, clock } = hosting;
    const old = await hosting.loaded("a");
    hosting.load("a", "closed", { hash: "new", version: "2" });
    const id = await hosting.getLoaded(hosting.processes.last);
    const then = [{ name: "a", hash: "a" }];
    host.earlier.replaced(then, [{ name: "a", hash: "new" }], (hash) => host.works(hash));
    expect(host.earlier.hashes).toEqual(["a"]);
    for (let time = 0; time < limits.policyTripsMax; time++) host.trip("new", "it throws");
    expect(hosting.state("new")).toBe("quarantined");
    expect(host.status().policies.find(({ hash }) => hash === "new")?.detail).toEndWith(
      "it throws; version 1 is asked meanwhile",
    );
    const meant = { hash: "new", name: "a", options: {} };
    const asked = hosting.ask("a", undefined, meant);
    const number = await hosting.batchOf(hosting.processes.last);
    expect(hosting.processes.last.of(frameKinds.calls).at(-1)?.first).toBe(old);
    hosting.processes.last.say(frameKinds.answered, old, number, answersText(0, 0, [1, '{"do":"next"}']));
    await clock.advance(1);
    expect(asked).toMatchObject([{ ok: true }]);

    await clock.advance(limits.policyQuarantineMs);
    hosting.ask("a", undefined, meant);
    const again = await hosting.getLoaded(hosting.processes.last);
    expect(again).not.toBe(id);
    const trial = await hosting.batchOf(hosting.processes.last);
    expect(hosting.processes.last.of(frameKinds.calls).at(-1)?.first).toBe(again);
    hosting.ask("a", undefined, meant);
    await clock.advance(1);
    expect(hosting.processes.last.of(frameKinds.calls).at(-1)?.first).toBe(old);
    hosting.processes.last.say(frameKinds.answered, again, trial, answersText(0, 0, [1, '{"do":"next"}']));
    await clock.advance(1);
    hosting.ask("a", undefined, meant);
    await clock.advance(1);
    expect(hosting.processes.last.of(frameKinds.calls).at(-1)?.first).toBe(again);
  });

  test("gives what a call of a trial waits for to the version that is tried, and begins no trial with it", async () => {
    const hosting = new Hosting();
    const { host, clock, processes } = hosting;
    await hosting.loaded("a");
    hosting.load("a", "closed", { hash: "new", version: "2" });
    await hosting.getLoaded(processes.last);
    const then = [{ name: "a", hash: "a" }];
    host.earlier.replaced(then, [{ name: "a", hash: "new" }], (hash) => host.works(hash));
    for (let time = 0; time < limits.policyTripsMax; time++) host.trip("new", "it throws");
    await clock.advance(limits.policyQuarantineMs);
    const meant = { hash: "new", name: "a", options: {} };
    const late = hosting.ask("a", undefined, meant, 7);
    await clock.advance(1);
    expect(late).toMatchObject([{ ok: false, reason: expect.stringContaining("it throws") }]);
    let resumed: unknown[] = [];
    hosting.ask("a", () => (resumed = hosting.ask("a", undefined, meant, 1)), meant);
    const id = await hosting.getLoaded(processes.last);
    const trial = await hosting.batchOf(processes.last);
    processes.last.say(frameKinds.answered, id, trial, answersText(0, 0, [1, '{"do":"wait"}']));
    const next = await hosting.batchOf(processes.last);
    expect(processes.last.of(frameKinds.calls).at(-1)?.first).toBe(id);
    processes.last.say(frameKinds.answered, id, next, answersText(0, 0, [1, '{"do":"next"}']));
    await clock.advance(1);
    expect(resumed).toMatchObject([{ ok: true }]);
  });

  test("that cannot load a policy says why to whoever asks", async () => {
    const hosting = new Hosting();
    hosting.load("a");
    const described = hosting.host.describe("a");
    const waiting = hosting.ask("a");
    hosting.processes.last.ready();
    await hosting.clock.advance(1);
    const id = hosting.processes.last.of(frameKinds.load)[0]?.first as number;
    const lost = { busyUs: 0, reason: "it threw", batches: [], restarted: false };
    hosting.processes.last.say(frameKinds.lost, id, 0, lost);
    expect([await described, hosting.state("a")]).toEqual([null, "broken"]);
    expect(waiting).toMatchObject([{ ok: false, reason: "it could not be loaded: it threw" }]);
  });

  test("sends no options of a policy that could not be loaded, and says why", async () => {
    const hosting = new Hosting();
    hosting.load("a");
    const early = hosting.host.check("a", {});
    hosting.processes.last.ready();
    await hosting.clock.advance(1);
    const id = hosting.processes.last.of(frameKinds.load)[0]?.first as number;
    const lost = { busyUs: 0, reason: "it threw", batches: [], restarted: false };
    hosting.processes.last.say(frameKinds.lost, id, 0, lost);
    const late = hosting.host.check("a", {});
    await hosting.clock.advance(1);
    for (const { issues } of [await early, await late]) expect(issues[0]?.message).toContain("it threw");
    const sent = hosting.processes.last;
    expect([sent.of(frameKinds.bind), sent.of(frameKinds.unbind)]).toEqual([[], []]);
  });

  test("forgets options that documents do not give any more, and knows them again when they are asked for", async () => {
    const hosting = new Hosting();
    const id = await hosting.loaded("a");
    const process = hosting.processes.last;
    const boundAs = () => process.of(frameKinds.bind).map(({ second, text }) => [second, text]);
    const old = { hash: "a", name: "a", options: { old: 1 } };
    hosting.ask("a", undefined, old);
    hosting.ask("a");
    await hosting.batchOf(process);
    const [[first]] = boundAs() as [[number, string]];
    hosting.host.keepBindings([{ hash: "a", name: "a", options: {} }]);
    await hosting.clock.advance(1);
    expect(process.of(frameKinds.unbind).map((frame) => [frame.first, frame.second])).toEqual([[id, first]]);
    process.say(frameKinds.bound, id, first, { issues: [] });
    expect(process.killed).toEqual([]);
    hosting.ask("a", undefined, old);
    hosting.ask("a");
    await hosting.batchOf(process);
    expect(boundAs().map(([, text]) => text)).toEqual(['{"old":1}', "{}", '{"old":1}']);
    const asked = JSON.parse(process.of(frameKinds.calls).at(-1)?.text.slice(2) ?? "") as [
      number,
      number[][],
    ];
    expect(asked[1].map(([binding]) => binding)).toEqual([boundAs()[2]?.[0], boundAs()[1]?.[0]] as never);
  });

  test("checks options without keeping them, and not without end", async () => {
    const hosting = new Hosting();
    const id = await hosting.loaded("a");
    const checked = hosting.host.check("a", { x: 1 });
    await hosting.clock.advance(1);
    const bind = hosting.processes.last.of(frameKinds.bind).at(-1);
    const issues = [{ path: "x", message: "is no text" }];
    hosting.processes.last.say(frameKinds.bound, id, bind?.second ?? 0, { issues });
    expect(await checked).toEqual({ issues });
    await hosting.clock.advance(1);
    expect(hosting.processes.last.of(frameKinds.unbind).at(-1)?.second).toBe(bind?.second as number);
    const never = hosting.host.check("a", {});
    await hosting.clock.advance(limits.policyLoadMs);
    expect((await never).issues[0]?.message).toContain("did not answer in time");
    expect((await hosting.host.check("absent", {})).issues[0]?.message).toContain("not here");
  });
});

test("CPU time is counted by policy as the host tells it, and no more than there was", async () => {
  const hosting = new Hosting();
  const id = await hosting.loaded("a");
  for (const cpuUs of [1_500, 500, 0]) {
    hosting.ask("a");
    await hosting.clock.advance(1);
    const number = hosting.processes.last.of(frameKinds.calls).at(-1)?.second as number;
    hosting.processes.last.say(frameKinds.answered, id, number, answersText(0, cpuUs, [1, "1"]));
  }
  expect(hosting.cpu).toEqual({ a: 0.002 });
  await hosting.clock.advance(100);
  const lost = { busyUs: 50_000, reason: "no answer for 50 ms", batches: [], restarted: true };
  hosting.processes.last.say(frameKinds.lost, id, 0, lost);
  expect(hosting.cpu["a"]).toBeCloseTo(0.052, 9);
  hosting.processes.last.say(frameKinds.lost, id, 0, { ...lost, busyUs: 4e9 });
  expect(hosting.cpu["a"]).toBeLessThan(0.1);
});
