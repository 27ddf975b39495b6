/** The watchdog of one policy: processor time of its thread decides, and what its worker says is doubted. */
import { describe, expect, test } from "bun:test";
import { limits } from "../../../src/model/limits.ts";
import { HostedPolicy, type WorkerOwner } from "../../../src/policy/hosted_policy.ts";
import { frameKinds, type LostText } from "../../../src/policy/protocol.ts";

const thread = 7;

class Hosted {
  nowMs = 0;
  cpuMs: number | null = 0;
  readonly sent: (readonly [kind: number, id: number, number: number, text: string])[] = [];
  readonly workers: { owner: WorkerOwner; told: string[]; ended: boolean }[] = [];
  readonly policy = new HostedPolicy({
    id: 1,
    load: { bundle: "", cpuMs: 2 },
    worker: (owner) => {
      const worker = { owner, told: [] as string[], ended: false };
      this.workers.push(worker);
      return {
        send: (message) => void worker.told.push(String(message)),
        terminate: () => void (worker.ended = true),
      };
    },
    clock: { now: () => this.nowMs },
    threads: { msOf: (number) => (number === thread ? this.cpuMs : null) },
    send: (...frame) => void this.sent.push(frame),
  });

  say(message: string): void {
    this.workers.at(-1)?.owner.message(message);
  }

  /** A worker that has loaded its bundle and was asked a batch. */
  static asked(): Hosted {
    const hosted = new Hosted();
    hosted.say(`t${thread}`);
    hosted.say("l0 {}");
    hosted.policy.calls(5, "1 [0,[]]");
    return hosted;
  }

  /** Looks every ten milliseconds for so long, while the thread gets this share of a processor. */
  pass(ms: number, share: number): void {
    for (let at = 0; at < ms; at += limits.policyWatchdogMs) {
      this.policy.watch();
      this.nowMs += limits.policyWatchdogMs;
      if (this.cpuMs !== null) this.cpuMs += limits.policyWatchdogMs * share;
    }
    this.policy.watch();
  }

  get lost(): LostText[] {
    return this.sent
      .filter(([kind]) => kind === frameKinds.lost)
      .map(([, , , text]) => JSON.parse(text) as LostText);
  }
}

describe("the watchdog", () => {
  test("ends a worker that takes more processor time than it may, and says which batches are lost", () => {
    const hosted = Hosted.asked();
    hosted.policy.calls(6, "1 [0,[]]");
    hosted.pass(limits.policyHangCpuMs, 1);
    expect(hosted.lost).toEqual([]);
    hosted.pass(2 * limits.policyWatchdogMs, 1);
    expect(hosted.lost).toMatchObject([{ batches: [5, 6], restarted: true }]);
    expect(hosted.lost[0]?.busyUs).toBeGreaterThan(limits.policyHangCpuMs * 1_000);
    expect(hosted.workers.map((each) => each.ended)).toEqual([true, false]);
  });

  test("tells once what a bundle and its options say, however often its worker is started", () => {
    const hosted = Hosted.asked();
    hosted.policy.bind(9, "{}");
    hosted.say("z5 0,0,1,1;1");
    hosted.say("b9 {}");
    hosted.say("nonsense");
    hosted.say(`t${thread}`);
    hosted.say("l0 {}");
    hosted.say("b9 {}");
    hosted.policy.calls(6, "1 [0,[]]");
    hosted.say("z6 0,0,1,1;1");
    const { loaded, bound, answered, lost } = frameKinds;
    expect(hosted.sent.map(([kind]) => kind)).toEqual([loaded, answered, bound, lost, answered]);
  });

  test("leaves a worker alone that has no processor, however long it takes up to a time far above", () => {
    const hosted = Hosted.asked();
    hosted.pass(limits.policyHangMs - limits.policyWatchdogMs, 0.005);
    expect(hosted.lost).toEqual([]);
    hosted.pass(2 * limits.policyWatchdogMs, 0);
    expect(hosted.lost).toMatchObject([{ batches: [5], restarted: true }]);
  });

  test("goes by the wall alone where nobody can tell processor time", () => {
    const hosted = Hosted.asked();
    hosted.cpuMs = null;
    hosted.pass(limits.policyHangMs - limits.policyWatchdogMs, 0);
    expect(hosted.lost).toEqual([]);
    hosted.pass(2 * limits.policyWatchdogMs, 0);
    expect(hosted.lost).toHaveLength(1);
  });

  test("counts anew with each part of an answer", () => {
    const hosted = Hosted.asked();
    for (let part = 0; part < 10; part++) {
      hosted.pass(limits.policyHangCpuMs, 1);
      hosted.say(`a5 ${part},0,1,1;1`);
    }
    expect(hosted.lost).toEqual([]);
  });

  test("asks a worker between calls whether it is idle, and ends one that is not", () => {
    const hosted = Hosted.asked();
    hosted.say("z5 0,0,1,1;1");
    hosted.policy.watch();
    expect(hosted.workers[0]?.told.at(-1)).toBe("P");
    hosted.pass(2 * limits.policyHangCpuMs, 1);
    expect(hosted.lost).toMatchObject([{ batches: [], restarted: true }]);
  });

  for (const [name, done] of Object.entries({
    "its bundle was loaded": () => {},
    "options were forgotten": (hosted: Hosted) => {
      hosted.policy.watch();
      hosted.say("p0 ");
      hosted.policy.unbind(9);
    },
  })) {
    test(`asks a worker that it is idle after ${name}, though nobody has called it`, () => {
      const hosted = new Hosted();
      hosted.say(`t${thread}`);
      hosted.say("l0 {}");
      done(hosted);
      expect(hosted.policy.watch()).toBe(true);
      expect(hosted.workers[0]?.told.at(-1)).toBe("P");
      hosted.pass(2 * limits.policyHangCpuMs, 1);
      expect(hosted.lost).toMatchObject([{ batches: [], restarted: true }]);
    });
  }

  test("gives loading more time, and does not try again what never loaded", () => {
    const hosted = new Hosted();
    hosted.say(`t${thread}`);
    hosted.pass(limits.policyLoadCpuMs, 1);
    expect(hosted.lost).toEqual([]);
    hosted.pass(2 * limits.policyWatchdogMs, 1);
    expect(hosted.lost).toMatchObject([{ restarted: false }]);
    expect(hosted.workers).toHaveLength(1);
  });
});

describe("a worker that says", () => {
  for (const [name, message] of Object.entries({
    "answers to another batch": "z6 0,0;",
    "answers in another order": "b5 {}",
    "that it has loaded again": "l0 {}",
    "its thread again": `t${thread}`,
    "a failure to load after it has loaded": "fbecause",
    "nothing that has a meaning": "hello",
    "nothing at all": "",
  })) {
    test(`${name} is ended and started anew`, () => {
      const hosted = Hosted.asked();
      hosted.say(message);
      expect(hosted.lost).toMatchObject([{ batches: [5], restarted: true }]);
      expect(hosted.workers.map((each) => each.ended)).toEqual([true, false]);
      expect(hosted.sent.filter(([kind]) => kind === frameKinds.answered)).toEqual([]);
    });
  }

  test("an answer nobody waits for is ended too", () => {
    const hosted = Hosted.asked();
    hosted.say("z5 0,0,1,1;1");
    hosted.say("z5 0,0,1,1;1");
    expect(hosted.lost).toMatchObject([{ batches: [], restarted: true }]);
    expect(hosted.sent.filter(([kind]) => kind === frameKinds.answered)).toHaveLength(1);
  });
});
