/** A policy host whose processes the test plays: loads, questions and what an operator would have read. */
import type { PolicyBinding, PolicyRef } from "../../src/model/snapshot.ts";
import type { Hook } from "../../src/policy/hooks.ts";
import type { PolicyAnswer } from "../../src/policy/policy_call.ts";
import { createPolicyHost, type PolicyStatus } from "../../src/policy/policy_host.ts";
import { frameKinds } from "../../src/policy/protocol.ts";
import { HeadFields } from "../../src/wire/head_fields.ts";
import { ManualClock } from "./clock.ts";
import { FakePolicyProcesses, type FakePolicyProcess } from "./fake_policy_process.ts";

/** Answers as a worker tells them. */
export function answersText(first: number, cpuUs: number, ...answers: [us: number, text: string][]): string {
  const numbers = [first, cpuUs, ...answers.flatMap(([us, text]) => [us, text.length])];
  return `${numbers.join()};${answers.map(([, text]) => text).join("")}`;
}

export class Hosting {
  readonly clock = new ManualClock();
  readonly processes = new FakePolicyProcesses(this.clock);
  readonly reports: string[] = [];
  readonly cpu: Record<string, number> = {};
  readonly host = createPolicyHost({
    process: this.processes,
    clock: this.clock,
    random: { unit: () => 1 },
    report: (sentence) => void this.reports.push(sentence),
    cpuCounter: ({ name }) => ({
      add: (seconds) => void (this.cpu[name] = (this.cpu[name] ?? 0) + seconds),
    }),
  });
  readonly #bindings = new Map<string, PolicyBinding>();

  load(name: string, onError: PolicyRef["onError"] = "closed", more: Partial<PolicyRef> = {}): void {
    const ref = { hash: name, name, version: "1", onError, cpuMs: 2, ...more };
    this.host.load(ref, `bundle of ${name}`);
  }

  /** Starts a process with this policy loaded: its number in the process. */
  async loaded(name: string): Promise<number> {
    this.load(name);
    return await this.getReady(this.processes.last);
  }

  /** The process says that it is sealed and has loaded what it was given last. */
  async getReady(process: FakePolicyProcess): Promise<number> {
    process.ready();
    return await this.getLoaded(process);
  }

  async getLoaded(process: FakePolicyProcess): Promise<number> {
    await this.clock.advance(1);
    const id = process.of(frameKinds.load).at(-1)?.first as number;
    process.say(frameKinds.loaded, id, 0, "{}");
    return id;
  }

  /** Lets the calls of this turn leave: the number of their batch. */
  async batchOf(process: FakePolicyProcess): Promise<number> {
    await this.clock.advance(1);
    return process.of(frameKinds.calls).at(-1)?.second as number;
  }

  /** What it is answered; `hear` is told too. */
  ask(
    name: string,
    hear: (answer: PolicyAnswer) => void = () => {},
    given?: PolicyBinding,
    resumes?: number,
    hook: Hook = "onRequest",
  ): PolicyAnswer[] {
    const answers: PolicyAnswer[] = [];
    const binding = given ?? this.#bindings.get(name) ?? { hash: name, name, options: {} };
    if (given === undefined) this.#bindings.set(name, binding);
    const call = {
      hook,
      method: "GET",
      authority: "cart.mesh",
      target: "/",
      fields: new HeadFields(),
      sourceId: "",
      service: { name: "cart", namespace: "default" },
      requestId: "1",
      ...(resumes === undefined ? {} : { resumes }),
    };
    this.host.evaluate(binding, call, (answer) => {
      answers.push(answer);
      hear(answer);
    });
    return answers;
  }

  state(name: string): string | undefined {
    return this.#statusOf(name)?.state;
  }

  detail(name: string): string | undefined {
    return this.#statusOf(name)?.detail;
  }

  #statusOf(name: string): PolicyStatus | undefined {
    return this.host.status().policies.find((policy) => policy.hash === name);
  }
}
