/** What one compiler of snapshots takes over from the one before: parts that nothing has changed are the same objects again. */
import type { Instance } from "../../model/service.ts";
import type { Destination, Snapshot, TrustBundle } from "../../model/snapshot.ts";
import type { CompileInput } from "./compile_input.ts";
import type { Grouped } from "./grouped.ts";

/** What an earlier compiler made. */
export interface Before {
  /** Whatever destinations are made of besides instances is the same. */
  readonly sameDocuments: boolean;
  readonly destinations: ReadonlyMap<string, Destination>;
  readonly instances: Grouped<Instance>;
  readonly reached: WeakMap<readonly string[], readonly string[]>;
  /** By machine. */
  readonly made: ReadonlyMap<string, Snapshot>;
}

export function isSameSource(one: CompileInput, other: CompileInput): boolean {
  return (
    one.documents === other.documents &&
    one.trustDomain === other.trustDomain &&
    one.sessionSecret === other.sessionSecret &&
    isSameMap(one.leadsTo, other.leadsTo) &&
    isSameMap(one.policies, other.policies) &&
    isSameMap(one.trials, other.trials)
  );
}

function isSameMap(one: ReadonlyMap<string, unknown>, other: ReadonlyMap<string, unknown>): boolean {
  return one.size === other.size && [...one].every(([key, value]) => other.get(key) === value);
}

export function isSameList(one: readonly unknown[], other: readonly unknown[]): boolean {
  return one.length === other.length && one.every((each, at) => each === other[at]);
}

export function isSameBundle(one: TrustBundle, other: TrustBundle): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

type Denied = Pick<Snapshot, "deniedIds" | "deniedSerials">;

export function isSameDenied(one: Denied, other: Denied): boolean {
  return isSameList(one.deniedIds, other.deniedIds) && isSameList(one.deniedSerials, other.deniedSerials);
}

/** Parts that machines share by what they are, whatever else there is by what it says. */
export function isSameContent(known: Snapshot, content: Omit<Snapshot, "version">): boolean {
  const { version: _, ...before } = known;
  return (
    isSameList(before.destinations, content.destinations) &&
    shared.every((field) => before[field] === content[field]) &&
    JSON.stringify(withoutShared(before)) === JSON.stringify(withoutShared(content))
  );
}

const shared = ["bundle", "deniedIds", "deniedSerials", "names"] as const;

function withoutShared(content: Omit<Snapshot, "version">): object {
  const { destinations: _, bundle: __, deniedIds: ___, deniedSerials: ____, names: _____, ...own } = content;
  return own;
}
