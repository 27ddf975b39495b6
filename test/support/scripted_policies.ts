/** A policy host of one policy, `scripted`, whose answers a test writes: what it says at each hook, and when. */
import type { Fields } from "../../src/wire/fields.ts";
import type { PolicyBinding } from "../../src/model/snapshot.ts";
import { hooks } from "../../src/policy/hooks.ts";
import type { Answer, PolicyCall } from "../../src/policy/policy_call.ts";

export class ScriptedPolicies {
  onError: "open" | "closed" = "closed";
  /** By hook; what is not here goes on. An Error: no answer of it. A function is asked what it says of the call. */
  says: Readonly<Record<string, unknown>> = {};
  /** Hooks that are not answered until `release`. */
  later = new Set<string>();
  readonly asked: PolicyCall[] = [];
  /** How long it may wait for what it asks of services. */
  waitMs = 50_000;
  readonly trips: string[] = [];
  #waiting: (() => void)[] = [];

  /** A binding that is asked at these hooks. */
  binding(options: PolicyBinding["options"] = {}, at: readonly string[] = hooks): PolicyBinding {
    return { hash: "scripted", name: "scripted", options, hooks: at };
  }

  /** How often it was asked at that hook. */
  times(hook: string): number {
    return this.asked.filter((call) => call.hook === hook).length;
  }

  /** What a call at that hook was about, the last one. */
  about(hook: string): unknown {
    return this.asked.findLast((call) => call.hook === hook)?.about;
  }

  get waits(): boolean {
    return this.#waiting.length > 0;
  }

  release(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const answer of waiting) answer();
  }

  reset(): void {
    this.release();
    this.onError = "closed";
    this.waitMs = 50_000;
    this.says = {};
    this.later.clear();
    this.asked.length = 0;
    this.trips.length = 0;
  }

  refOf(hash: string) {
    return { hash, name: hash, version: "1", onError: this.onError, cpuMs: 2, waitMs: this.waitMs };
  }

  trip(_hash: string, reason: string): void {
    this.trips.push(reason);
  }

  evaluate(_binding: PolicyBinding, call: PolicyCall, answer: Answer): void {
    this.asked.push({ ...call, fields: (call.fields as Fields).copy() });
    const word = this.says[call.hook] ?? { do: "next" };
    const said: unknown =
      typeof word === "function" ? (word as (about: unknown) => unknown)(call.about) : word;
    const give = (): void => {
      if (said instanceof Error) answer({ ok: false, reason: said.message, us: 0 });
      else answer({ ok: true, decision: said, us: 1 });
    };
    if (this.later.has(call.hook)) this.#waiting.push(give);
    else give();
  }
}
