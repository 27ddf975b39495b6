/**
 * The sealed policy host of dist/heddle. The bundles here went through no check: what is shown is that the host holds by
 * itself, that one bad policy hurts no other, and that the process which started it lives on.
 */
import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { binaryMissing, binaryPath } from "../../compile/repository.ts";
import { createPolicyChain } from "../../src/policy/chain.ts";
import type { PolicyVerdict } from "../../src/policy/verdict.ts";
import { leaksOf } from "../../src/policy/probe.ts";
import { compileSealed } from "../../src/policy/sealed_compiler.ts";
import { shippedPolicies } from "../../src/policy/shipped.ts";
import { HeadFields } from "../../src/wire/head_fields.ts";
import { realmAttempts } from "../support/hostile_policies/realm_attempts.ts";
import {
  attemptScript,
  loadingForEver,
  misbehaving,
  notAScript,
  scriptWith,
  throwingWhenLoaded,
} from "../support/hostile_policies/scripts.ts";
import { startTestHost, type TestHost } from "../support/policy_host.ts";
import { everywhere } from "../support/reach.ts";
import { runtime } from "../support/runtime_under_test.ts";
import { until } from "../support/sockets.ts";
import { testMs } from "../support/patience.ts";

const good = scriptWith(`return '{"do":"next"}';`);
const hosts: TestHost[] = [];
afterEach(() => {
  for (const { host } of hosts.splice(0)) host.close();
});

function startHost(): TestHost {
  const started = startTestHost(runtime, binaryPath);
  hosts.push(started);
  return started;
}

/** Another policy of the same host goes on answering. */
async function expectGood(test: TestHost): Promise<void> {
  expect(await test.ask("good")).toMatchObject({ ok: true, decision: { do: "next" } });
}

describe.skipIf(binaryMissing)("the seal", () => {
  test("is whole: the host tried each denied call and says so, every thread is filtered, no file is open", async () => {
    const there = startHost();
    there.add("good", good);
    await expectGood(there);
    const { sealed, why, pid } = there.processOf("good");
    expect([sealed, why]).toEqual([true, null]);
    const threads = readdirSync(`/proc/${pid}/task`);
    expect(threads.length).toBeGreaterThan(2);
    for (const thread of threads) {
      const status = readFileSync(`/proc/${pid}/task/${thread}/status`, "utf8");
      expect(status).toMatch(/^NoNewPrivs:\s+1$/m);
      expect(status).toMatch(/^Seccomp:\s+2$/m);
    }
    const open = readdirSync(`/proc/${pid}/fd`).map((each) => readlinkSync(`/proc/${pid}/fd/${each}`));
    expect(open.filter((target) => !/^(socket|pipe|anon_inode):|^\/dev\/null$/.test(target))).toEqual([]);
    const environment = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").filter(Boolean);
    expect(environment.map((each) => each.split("=")[0]).sort()).toEqual(["BUN_OPTIONS", "HOME"]);
  });

  test("is tried by calls that do succeed without it", () => {
    expect(leaksOf(runtime.native)).toEqual(expect.arrayContaining(["openat", "socket", "execve", "kill"]));
  });
});

describe.skipIf(binaryMissing)("code in the realm", () => {
  const there = binaryMissing ? null : startTestHost(runtime, binaryPath);
  afterAll(() => there?.host.close());
  const expressions = Object.entries(realmAttempts).map(([name, attempt]) => [name, attempt.code] as const);
  there?.add("attempts", attemptScript(Object.fromEntries(expressions)));
  there?.add("good", good);

  for (const [name, { harmless }] of Object.entries(realmAttempts)) {
    test(`does not get at: ${name}`, async () => {
      const answer = await there?.ask("attempts", name);
      expect(answer?.ok).toBe(true);
      const { gave, threw } = (answer?.ok === true ? answer.decision : {}) as {
        gave?: string;
        threw?: string;
      };
      if (threw === undefined) expect(harmless).toContain(gave ?? "nothing");
    });
  }

  test("has hurt nobody", async () => {
    if (there !== null) await expectGood(there);
    expect(there?.host.status().starts).toBe(2);
  });
});

describe.skipIf(binaryMissing)("a policy that", () => {
  /** What the caller of the bad policy is told. */
  const expected: Readonly<Record<Exclude<keyof typeof misbehaving, "leak" | "exhaust">, RegExp>> = {
    loop: /no answer for \d+ ms of processor time/,
    regex: /no answer for|"gave"|false/,
    throw: /threw/,
    microtasks: /next|no answer/,
    number: /no text/,
    nothing: /no text/,
    brokenJson: /no JSON/,
    hugeAnswer: /too long/,
  };
  for (const [name, says] of Object.entries(expected)) {
    test(`${name}: its caller is told in time, and others go on`, async () => {
      const there = startHost();
      there.add("good", good);
      there.add("bad", scriptWith(misbehaving[name as keyof typeof misbehaving]));
      await Promise.all([there.ask("good"), there.host.describe("bad")]);
      const bad = await there.ask("bad");
      expect(JSON.stringify(bad)).toMatch(says);
      await expectGood(there);
      expect(there.processOf("bad").starts).toBe(1);
    });
  }

  test("loops delays nobody who does not use it, and is put aside after five times", async () => {
    const there = startHost();
    there.add("good", good);
    there.add("bad", scriptWith(misbehaving.loop));
    await Promise.all([there.ask("good"), there.host.describe("bad")]);
    for (let time = 0; time < 5; time++) {
      const bad = there.ask("bad");
      let over = false;
      void bad.then(() => (over = true));
      let answered = 0;
      for (; !over; answered++) await expectGood(there);
      expect((await bad).ok).toBe(false);
      expect(answered).toBeGreaterThan(1);
    }
    const state = there.host.status().policies.find((each) => each.hash === "bad");
    expect(state).toMatchObject({ state: "quarantined" });
    const refused = await there.ask("bad");
    expect(JSON.stringify(refused)).toContain("5 times");
    expect(there.reports.join("\n")).toContain("is not asked any more");
    await expectGood(there);
  });

  test("leaves work behind between calls is ended though nobody asks it", async () => {
    const there = startHost();
    there.add("good", good);
    there.add("bad", scriptWith(misbehaving.microtasks));
    await there.ask("bad");
    await until(() => there.reports.some((each) => each.includes("started again")), "it is ended");
    await expectGood(there);
  });

  test("goes on after it was loaded is put aside though nobody ever asks it", async () => {
    const there = startHost();
    there.add("good", good);
    const endless = "const t = { then(resolve) { resolve(t) } }; Promise.resolve(t);";
    there.add("bad", scriptWith(`return '{"do":"next"}';`, endless));
    const state = () => there.host.status().policies.find((each) => each.hash === "bad")?.state;
    await until(() => state() === "quarantined", "it is put aside");
    expect(there.reports.join("\n")).toMatch(/no answer for \d+ ms of processor time/);
    await expectGood(there);
  });

  test("answers many calls late and at length is heard, and lives", async () => {
    const there = startHost();
    const page = JSON.stringify({ do: "respond", status: 200, reason: "", body: "x".repeat(30_000) });
    there.add("late", scriptWith(`return "";`, `const page = ${JSON.stringify(page)};`, "return page;"));
    await there.ask("late");
    const answers = await Promise.all(Array.from({ length: 250 }, () => there.ask("late")));
    expect(answers.filter((each) => !each.ok)).toEqual([]);
    expect(there.processOf("late").starts).toBe(1);
  });

  test("cannot be loaded is told with the reason, and others go on", async () => {
    const there = startHost();
    there.add("good", good);
    there.add("throws", throwingWhenLoaded);
    there.add("unreadable", notAScript);
    there.add("loops", loadingForEver, { onError: "open" });
    await expectGood(there);
    expect(JSON.stringify(await there.ask("throws"))).toContain("told by itself");
    expect(JSON.stringify(await there.ask("unreadable"))).toContain("SyntaxError");
    expect((await there.ask("loops")).ok).toBe(false);
    await until(
      () => there.host.status().policies.some((each) => each.hash === "loops" && each.state === "broken"),
      "the loop is given up",
    );
    await expectGood(there);
  });

  for (const kind of ["leak", "exhaust"] as const) {
    test(
      `takes all memory (${kind}) is ended with its process and put aside, and others do not notice`,
      async () => {
        const there = startHost();
        there.add("good", good);
        there.add("bad", scriptWith(misbehaving[kind]), { cpuMs: 100 });
        await Promise.all([there.ask("good"), there.host.describe("bad")]);
        const isAside = (): boolean =>
          there.host.status().policies.some((each) => each.hash === "bad" && each.state === "quarantined");
        let most = 0;
        for (let time = 0; time < 400 && !isAside(); time++) {
          await there.ask("bad");
          most = Math.max(most, runtime.process.residentBytesOf(there.processOf("bad").pid) ?? 0);
          await expectGood(there);
        }
        expect(isAside()).toBe(true);
        expect(most).toBeLessThan(1.5e9);
        expect(there.processOf("good").starts).toBe(1);
      },
      testMs,
    );
  }
});

describe.skipIf(binaryMissing)("the host", () => {
  test("that is killed fails what was asked, and is back at once", async () => {
    const there = startHost();
    there.add("good", good);
    there.add("slow", scriptWith(misbehaving.loop), { cpuMs: 100 });
    await Promise.all([there.ask("good"), there.host.describe("slow")]);
    const asked = there.ask("slow");
    await there.ask("good");
    process.kill(there.processOf("slow").pid, "SIGKILL");
    await expectGood(there);
    expect(await asked).toMatchObject({ ok: false });
    await until(() => there.processOf("slow").starts === 2, "it is started again");
    expect(there.processOf("good").starts).toBe(1);
    process.kill(there.processOf("good").pid, "SIGKILL");
    await until(() => !there.processOf("good").running, "it is gone");
    // Fails closed: this call waits for the new process.
    await expectGood(there);
  });

  test("makes those that fail closed wait until it is there, and no others", async () => {
    const there = startHost();
    there.add("closed", good);
    there.add("open", good, { onError: "open" });
    const [closed, open] = await Promise.all([there.ask("closed"), there.ask("open")]);
    expect(closed.ok).toBe(true);
    expect(open).toMatchObject({ ok: false });
  });

  test("takes so many calls at once and refuses the rest at once", async () => {
    const there = startHost();
    there.add("good", good);
    await there.ask("good");
    const answers = await Promise.all(Array.from({ length: 1_100 }, () => there.ask("good")));
    expect(answers.filter((answer) => answer.ok).length).toBe(1_024);
    expect(JSON.stringify(answers.find((answer) => !answer.ok))).toContain("inbox");
  });

  test("counts the CPU time of each policy, and that of one which had to be stopped", async () => {
    const there = startHost();
    const startedMs = performance.now();
    there.add("idle", good);
    there.add(
      "busy",
      scriptWith(`const end = Date.now() + 5; while (Date.now() < end); return '{"do":"next"}';`),
    );
    there.add("loops", scriptWith(misbehaving.loop));
    const seconds = (policy: string): number =>
      Number(new RegExp(`policy="${policy}",version="${policy}"} (.+)`).exec(there.metrics.expose())?.[1]);
    await Promise.all([there.ask("idle"), there.host.describe("loops")]);
    while (seconds("busy") < 0.25) expect(await there.ask("busy")).toMatchObject({ ok: true });
    await there.ask("loops");
    expect(seconds("busy")).toBeLessThan((performance.now() - startedMs) / 1_000);
    expect(seconds("loops")).toBeGreaterThanOrEqual(0.05);
    expect(seconds("idle")).toBeLessThan(seconds("busy"));
  });

  test("ends when its proxy does", async () => {
    const there = startHost();
    there.add("good", good);
    await there.ask("good");
    const { pid } = there.processOf("good");
    there.host.close();
    await until(() => runtime.process.residentBytesOf(pid) === null, "the process is gone");
  });
});

describe.skipIf(binaryMissing)("from source to verdict", () => {
  test("header-route is compiled under seal, loaded, told its options, and routes", async () => {
    const unsealed: string[] = [];
    const compiler = {
      process: { ...runtime.process, self: [binaryPath] },
      clock: runtime.clock,
      unsealed: (why: string) => void unsealed.push(why),
    };
    const { scripts, issues } = await compileSealed(compiler, [...shippedPolicies.values()]);
    expect([unsealed, issues]).toEqual([[], []]);
    const [script] = scripts;
    if (script === undefined) throw new Error("There is no bundle");
    const bundle = { hash: "header-route", text: script.text };
    const there = startHost();
    there.add(bundle.hash, bundle.text);
    const wrong = await there.host.check(bundle.hash, {
      header: "x-group",
      values: { beta: { service: 1 } },
    });
    expect(wrong.issues.map((issue) => issue.path)).toEqual(["values.beta.service"]);
    const options = { header: "X-Group", values: { beta: { service: "cart", subset: "v2" } } };
    expect((await there.host.check(bundle.hash, options)).issues).toEqual([]);
    const fields = new HeadFields();
    const line = new TextEncoder().encode("X-Groupbeta");
    fields.own(line, 0, line.length);
    fields.add(0, 0, 7, 7, 11);
    const call = {
      hook: "onRequest" as const,
      method: "GET",
      authority: "cart.mesh",
      target: "/",
      fields,
      sourceId: "",
      service: { name: "cart", namespace: "shop" },
      requestId: "1",
    };
    const chain = createPolicyChain(there.host, runtime.clock);
    const binding = { hash: bundle.hash, name: "header-route", options };
    const verdict = await new Promise<PolicyVerdict>((resolve) =>
      chain.evaluate([binding], call, resolve, everywhere),
    );
    expect(verdict).toMatchObject({
      do: "route",
      service: { name: "cart", namespace: "shop" },
      subset: "v2",
    });
  });
});
