/**
 * Which version of a policy is asked while the one that documents mean is put aside: the one before it, where that did its work when
 * it was replaced. By hashes of bundles.
 */
import type { PolicyBinding, PolicyRef } from "../model/snapshot.ts";

type Versions = readonly Pick<PolicyRef, "name" | "hash">[];

export class EarlierVersions {
  readonly #before = new Map<string, string>();
  readonly #bindings = new WeakMap<PolicyBinding, PolicyBinding>();

  /** Hashes of those that may still be asked. */
  get hashes(): readonly string[] {
    return [...this.#before.values()];
  }

  /** `now` takes the place of `then`. `works`: whether the version of this hash is asked. */
  replaced(then: Versions, now: Versions, works: (hash: string) => boolean): void {
    const earlier = new Map(then.map(({ name, hash }) => [name, hash]));
    const kept = new Map<string, string>();
    for (const { name, hash } of now) {
      const old = earlier.get(name);
      const before = old === undefined || old === hash ? this.of(hash) : works(old) ? old : this.of(old);
      if (before !== null && before !== hash) kept.set(hash, before);
    }
    this.#before.clear();
    for (const [hash, before] of kept) this.#before.set(hash, before);
  }

  of(hash: string): string | null {
    return this.#before.get(hash) ?? null;
  }

  /** The same place of a document, asked of another version. */
  bindingFor(binding: PolicyBinding, hash: string): PolicyBinding {
    const known = this.#bindings.get(binding);
    if (known?.hash === hash) return known;
    const made = { ...binding, hash };
    this.#bindings.set(binding, made);
    return made;
  }
}
