/** By which numbers a process knows options of its policies: told once, however many places use them, and forgotten again. */
import type { LoadedPolicy } from "./loaded_policy.ts";
import { frameKinds, type FrameKind } from "./protocol.ts";

/** To the process, when it has the policy. */
type Send = (kind: FrameKind, policy: LoadedPolicy, number: number, text: string) => void;

export class KnownOptions {
  #next = 1;

  constructor(private readonly send: Send) {}

  newNumber(): number {
    return this.#next++;
  }

  numberOf(policy: LoadedPolicy, options: string): number {
    const known = policy.bindings.get(options);
    if (known !== undefined) return known;
    const number = this.newNumber();
    policy.bindings.set(options, number);
    this.tell(policy, number, options);
    return number;
  }

  tell(policy: LoadedPolicy, number: number, options: string): void {
    policy.unbound.add(number);
    this.send(frameKinds.bind, policy, number, options);
  }

  /** To a process that was just given the policy. */
  tellAll(policy: LoadedPolicy): void {
    policy.unbound.clear();
    for (const [options, number] of policy.bindings) this.tell(policy, number, options);
  }

  forget(policy: LoadedPolicy, number: number): void {
    this.send(frameKinds.unbind, policy, number, "");
  }

  /** Forgets all others. A new map tells whoever remembers a number of the old one. */
  keep(policy: LoadedPolicy, kept: ReadonlySet<string>): void {
    const before = [...policy.bindings];
    const gone = before.filter(([options]) => !kept.has(options));
    if (gone.length === 0) return;
    policy.bindings = new Map(before.filter(([options]) => kept.has(options)));
    for (const [, number] of gone) this.forget(policy, number);
  }
}
