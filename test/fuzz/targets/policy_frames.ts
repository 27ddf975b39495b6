/**
 * What a sealed process may say, as octets: whatever it is, nothing is thrown, every call is answered exactly once, and a policy
 * with another process gets its own answers.
 */
import type { PolicyAnswer } from "../../../src/policy/policy_call.ts";
import { FrameChannel, frameKinds, type FrameKind } from "../../../src/policy/protocol.ts";
import { FakeSocket } from "../../support/fake_socket.ts";
import type { FakePolicyProcess } from "../../support/fake_policy_process.ts";
import { answersText, Hosting } from "../../support/hosting.ts";
import { bytesOf, textOf } from "../../support/wire.ts";
import { someCuts } from "../splits.ts";
import { must, mustEqual, type FuzzTarget } from "../target.ts";

/** As `Asked` makes them. */
const [first, second] = [1, 2];
const [firstBatch, secondBatch] = [0, 1];
const next = '{"do":"next"}';

function frames(...all: (readonly [FrameKind, number, number, unknown])[]): Uint8Array {
  const socket = new FakeSocket();
  const channel = new FrameChannel(() => socket, { soon() {} }, { frame() {}, gone() {} });
  for (const [kind, id, number, text] of all) {
    channel.send(kind, id, number, typeof text === "string" ? text : JSON.stringify(text));
  }
  channel.flush();
  return socket.written;
}

const { answers, answered, bound, loaded, lost, ready } = frameKinds;
const lostText = { busyUs: 1, reason: "it hangs", batches: [firstBatch], restarted: true };

const seeds = [
  frames([answered, first, firstBatch, answersText(0, 40, [1, next], [2, next], [3, next])]),
  frames(
    [answers, first, firstBatch, answersText(0, 0, [1, next])],
    [answers, first, firstBatch, answersText(1, 0, [1, '{"do":"respond","status":403}'])],
    [answered, first, firstBatch, answersText(2, 7, [1, "no JSON"])],
    [answered, second, secondBatch, answersText(0, 0, [1, next])],
  ),
  frames([bound, first, 1, { issues: [] }], [bound, second, 2, { issues: [{ path: "x", message: "y" }] }]),
  frames([lost, first, 0, lostText], [lost, second, 0, { ...lostText, batches: [], restarted: false }]),
  frames([ready, 0, 0, { sealed: true, why: null }], [loaded, first, 0, "{}"]),
];

/** Two versions of a policy whose process is bad, and a policy beside them, all with calls under way. */
class Asked {
  readonly hosting = new Hosting();
  readonly good: FakePolicyProcess;
  readonly bad: FakePolicyProcess;
  readonly #goodId: number;
  readonly calls: PolicyAnswer[][];

  constructor() {
    const { hosting } = this;
    hosting.load("good");
    this.good = hosting.processes.last;
    this.#goodId = this.#ready(this.good);
    hosting.load("v1");
    this.bad = hosting.processes.last;
    this.#ready(this.bad);
    hosting.load("v2", "closed", { name: "v1" });
    this.#loaded(this.bad);
    this.calls = ["good", "v1", "v1", "v1", "v2"].map((name) => hosting.ask(name));
    hosting.clock.step(1);
  }

  #ready(process: FakePolicyProcess): number {
    process.ready();
    return this.#loaded(process);
  }

  #loaded(process: FakePolicyProcess): number {
    this.hosting.clock.step(1);
    const id = process.of(frameKinds.load).at(-1)?.first ?? 0;
    process.say(loaded, id, 0, "{}");
    return id;
  }

  goodAnswers(): void {
    this.good.say(answered, this.#goodId, firstBatch, answersText(0, 0, [1, '"good"']));
  }
}

export const policyFrames: FuzzTarget = {
  name: "policy-frames",
  words: [
    next,
    ";",
    "0,0,1,13;",
    "\u0010\u0000\u0000\u0000\u0000",
    "\u0013\u0001\u0000\u0000\u0000",
    "\u0014\u0001\u0000\u0000\u0000",
    "\u0015\u0002\u0000\u0000\u0000",
    '"batches":[0]',
    '"restarted":false',
    "{}",
  ],
  bytesMax: 20_000,
  inputMs: 60,
  seeds: () => seeds,
  check(input, random) {
    const asked = new Asked();
    const { hosting, bad, good, calls } = asked;
    for (const piece of someCuts(textOf(input), random)) bad.write(bytesOf(piece));
    hosting.clock.step(random.below(3) * 10);
    asked.goodAnswers();
    mustEqual(JSON.stringify(calls[0]), '[{"ok":true,"decision":"good","us":1}]', "another policy is hurt");
    must(good.killed.length === 0, "the process of another policy is ended");
    const before = calls.map((each) => each.length);
    hosting.host.close();
    must(
      calls.every((each) => each.length === 1),
      `calls are answered ${calls.map((each) => each.length).join()} times`,
    );
    const states = hosting.host.status().policies.map((each) => each.state);
    const reason = hosting.reports.at(-1)?.replaceAll(/\d+/g, "n").slice(0, 100) ?? "";
    return `${before.join("")} ${states.join()} ${bad.killed.length} ${reason}`;
  },
};
