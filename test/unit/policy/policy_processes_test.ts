/** Which processes there are for policies, how many, and how they come and go. */
import { describe, expect, test } from "bun:test";
import { limits } from "../../../src/model/limits.ts";
import { ownSupport } from "../../../src/policy/support.ts";
import { Hosting } from "../../support/hosting.ts";

describe("processes", () => {
  test("are one for each name, with all versions of it, and one for all that ship", () => {
    const hosting = new Hosting();
    hosting.load("a1", "closed", { name: "a" });
    hosting.load("a2", "closed", { name: "a" });
    hosting.load("b");
    hosting.load("s1", "closed", { shipped: true });
    hosting.load("s2", "closed", { shipped: true });
    expect(hosting.host.status().processes.map((each) => each.name)).toEqual([
      'policy "a"',
      'policy "b"',
      "policies that ship with heddle",
    ]);
  });

  test("are bounded: a policy beyond that fails as it says of itself, and has one when there is room", async () => {
    const hosting = new Hosting();
    const names = Array.from({ length: limits.policyProcessesMax + 1 }, (_, at) => `p${at}`);
    for (const name of names) hosting.load(name);
    const last = names.at(-1) ?? "";
    const asked = hosting.ask(last);
    await hosting.clock.advance(1);
    expect(asked).toMatchObject([{ ok: false, reason: expect.stringContaining("policyProcessesMax") }]);
    expect([hosting.state(last), hosting.processes.lives.length]).toEqual(["broken", names.length - 1]);
    expect(hosting.host.refOf(last)?.onError).toBe("closed");
    hosting.host.retain(new Set(names.slice(1)));
    expect([hosting.state(last), hosting.processes.lives.length]).toEqual(["waiting", names.length]);
  });

  test("take no policy of an SDK that this version has not: it fails as it says of itself, with the reason", async () => {
    const hosting = new Hosting();
    hosting.load("newer", "closed", { api: ownSupport.apiNewest + 1 });
    const asked = hosting.ask("newer");
    await hosting.clock.advance(1);
    const reason = `this version of heddle has no api ${ownSupport.apiNewest + 1}`;
    expect(asked).toMatchObject([{ ok: false, reason }]);
    hosting.host.retain(new Set(["newer"]));
    expect([hosting.state("newer"), hosting.processes.lives.length]).toEqual(["broken", 0]);
    expect(hosting.reports.filter((line) => line.includes(reason)).length).toBe(1);
  });

  test("may take what the limits say for each of them and its versions", async () => {
    const hosting = new Hosting();
    const memory = (): number => hosting.host.status().memoryBytesMax;
    expect(memory()).toBe(0);
    await hosting.loaded("a1");
    const one = memory();
    expect(one).toBeGreaterThan(limits.policyHostBaseBytesMax + limits.policyMemoryBytesMax);
    hosting.load("a2", "closed", { name: "a1" });
    expect(memory()).toBe(one + limits.policyMemoryBytesMax);
    hosting.load("b");
    expect(memory()).toBe(2 * one + limits.policyMemoryBytesMax);
  });

  test("that cannot be started are told of and tried again, and hurt nobody who asks for one", async () => {
    const hosting = new Hosting();
    hosting.processes.failing = "Cannot start heddle: EAGAIN";
    hosting.load("a");
    const waiting = hosting.ask("a");
    await hosting.clock.advance(2 * limits.policyRespawnMs + 2);
    expect(hosting.reports[0]).toContain("EAGAIN");
    expect([hosting.processes.lives, waiting]).toEqual([[], []]);
    hosting.processes.failing = null;
    await hosting.clock.advance(limits.policyRespawnMaxMs);
    expect(hosting.processes.lives).toHaveLength(1);
    await hosting.getReady(hosting.processes.last);
    expect(hosting.state("a")).toBe("ready");
  });

  test("that cannot be started while calls wait leave these their time and no more", async () => {
    const hosting = new Hosting();
    hosting.processes.failing = "Cannot start heddle: EAGAIN";
    hosting.load("a");
    const waiting = hosting.ask("a");
    await hosting.clock.advance(limits.policyReadyMs + limits.policyHostIdleWatchMs);
    expect(waiting).toMatchObject([{ ok: false }]);
  });

  test("end with the last policy in them", async () => {
    const hosting = new Hosting();
    await hosting.loaded("a");
    hosting.host.retain(new Set());
    expect(hosting.processes.last.killed).toEqual(["SIGKILL"]);
    expect(hosting.host.status().processes).toEqual([]);
  });
});
