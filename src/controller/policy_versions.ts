/**
 * The versions of a policy that are kept, by the hash of their bundle: so many of each policy, the newest, and always those that are in
 * force, tried, or what `rollback` leads to.
 */
import { registryKeys, type CommitRequest } from "../api/messages.ts";
import type { PolicyEvent, PolicyVersion } from "../api/operator_messages.ts";
import { Refusal } from "../api/problem.ts";
import { limits } from "../model/limits.ts";
import type {
  KnownVersion,
  StoredPolicy,
  StoredPolicyHistory,
  StoredTrial,
  StoredVersion,
} from "./catalog.ts";

type Operation = CommitRequest["operations"][number];

/** What is known of one policy. */
export interface Known {
  readonly inForce: StoredPolicy | null;
  readonly trial: StoredTrial | null;
  /** What `rollback` leads to where nothing is tried. */
  readonly before: StoredPolicy | null;
  /** What an older heddle left as that; the next change takes it over. */
  readonly former: StoredPolicy | null;
  readonly events: readonly PolicyEvent[];
  readonly versions: readonly KnownVersion[];
}

/** What becomes of them; undefined: nothing. */
export interface Change {
  readonly inForce?: StoredPolicy;
  readonly trial?: StoredTrial | null;
  readonly before?: StoredPolicy | null;
  /** Handed in now, or again. */
  readonly version?: StoredVersion;
  readonly event: PolicyEvent;
}

/** Where all that changes of a policy lies in the registry. */
export function policyKeys(name: string): readonly [inForce: string, trial: string, history: string] {
  const { policies, policyTrials, policyHistory } = registryKeys;
  return [policies + name, policyTrials + name, policyHistory + name];
}

export function versionKey({ name, hash }: Pick<StoredPolicy, "name" | "hash">): string {
  return `${registryKeys.policyVersions}${name}/${hash}`;
}

export function formerKey(name: string): string {
  return registryKeys.policiesBefore + name;
}

export function knownOf(
  { inForce, trial, former }: Pick<Known, "inForce" | "trial" | "former">,
  history: StoredPolicyHistory | null,
  versions: readonly KnownVersion[],
): Known {
  const kept = versions.find(({ policy }) => policy.hash === history?.before)?.policy ?? null;
  const before = history?.before === undefined ? former : kept;
  return { inForce, trial, before, former, events: history?.events ?? [], versions };
}

/** What to write so that it is so; what is not kept any more goes. */
export function changeOperations(name: string, known: Known, change: Change): Operation[] {
  const [inForceKey, trialKey, historyKey] = policyKeys(name);
  const then = {
    inForce: change.inForce ?? known.inForce,
    trial: change.trial === undefined ? known.trial : change.trial,
    before: change.before === undefined ? known.before : change.before,
  };
  const used = [then.inForce, then.trial?.policy ?? null, then.before].flatMap((each) => each ?? []);
  const have = new Set(known.versions.map(({ policy }) => policy.hash));
  // One that ships with heddle comes again with it, unless another takes its place.
  const lost = used.filter((each) => !have.has(each.hash) && (each.shipped !== true || each === then.before));
  const added = new Map(lost.map((policy) => [policy.hash, madeBy(policy, known.events)] as const));
  if (change.version !== undefined) added.set(change.version.policy.hash, change.version);
  const all = [
    ...known.versions.filter(({ policy }) => !added.has(policy.hash)),
    ...[...added.values()].map((version) => ({ ...version, modified: Infinity })),
  ];
  const kept = newest(all, new Set(used.map(({ hash }) => hash)));
  const history: StoredPolicyHistory = {
    events: newestEvents([...known.events, change.event], kept),
    ...(then.before === null ? {} : { before: then.before.hash }),
  };
  return [
    ...putOrDelete(inForceKey, change.inForce),
    ...putOrDelete(trialKey, change.trial),
    ...putOrDelete(historyKey, history),
    ...(known.former === null ? [] : putOrDelete(formerKey(name), null)),
    ...[...added.values()].flatMap((version) => putOrDelete(versionKey(version.policy), version)),
    ...known.versions
      .filter(({ policy }) => !kept.has(policy.hash))
      .flatMap(({ policy }) => putOrDelete(versionKey(policy), null)),
  ];
}

function putOrDelete(key: string, value: object | null | undefined): Operation[] {
  if (value === undefined) return [];
  return [value === null ? { do: "delete", key } : { do: "put", key, value: JSON.stringify(value) }];
}

/** Who handed it in, as far as it is remembered. */
function madeBy({ disabled: _, ...policy }: StoredPolicy, events: readonly PolicyEvent[]): StoredVersion {
  const { by = "", atMs = 0 } = events.find(({ hash }) => hash === policy.hash) ?? {};
  return { policy, by, atMs };
}

/** Hashes of those that stay. */
function newest(versions: readonly KnownVersion[], used: ReadonlySet<string>): ReadonlySet<string> {
  const kept = new Set(used);
  let characters = 0;
  for (const { policy } of inOrder(versions).toReversed()) {
    characters += policy.text.length;
    if (kept.size < limits.policyVersionsMax && characters <= limits.policyVersionsCharactersMax)
      kept.add(policy.hash);
  }
  return kept;
}

/** The oldest first. */
function inOrder(versions: readonly KnownVersion[]): KnownVersion[] {
  return versions.toSorted((a, b) => a.atMs - b.atMs || a.modified - b.modified);
}

/** The last of each version that is kept stays longer than others: it says why that version is not in force. */
function newestEvents(events: readonly PolicyEvent[], kept: ReadonlySet<string>): readonly PolicyEvent[] {
  const others = events.filter(
    ({ hash }, at) => !kept.has(hash) || events.slice(at + 1).some((each) => each.hash === hash),
  );
  const over = Math.max(0, events.length - limits.policyHistoryMax);
  const gone = new Set(others.slice(0, over));
  return events.filter((event) => !gone.has(event));
}

/** The one version whose hash begins so. */
export function versionBy(name: string, versions: readonly StoredVersion[], start: string): StoredPolicy {
  const found = versions.filter(({ policy }) => policy.hash.startsWith(start));
  const [only] = found;
  if (only !== undefined && found.length === 1) return only.policy;
  const shown = (found.length > 1 ? found : versions).map(({ policy }) => policy.hash.slice(0, 12));
  throw new Refusal(
    404,
    found.length > 1
      ? `${found.length} versions of the policy "${name}" have a hash that begins with ${start}: ${shown.join(", ")}`
      : `No version of the policy "${name}" with the hash ${start} is kept, but ${shown.join(", ") || "none"}`,
    "heddle policy show NAME shows them",
  );
}

/** For people: the newest first, with what became of each. */
export function versionRows({ inForce, trial, before, events, versions }: Known): readonly PolicyVersion[] {
  const rows = new Map(
    inOrder(versions).map(({ policy, by, atMs }) => [policy.hash, { policy, by, atMs }] as const),
  );
  if (inForce !== null && !rows.has(inForce.hash))
    rows.set(inForce.hash, { policy: inForce, by: "", atMs: 0 });
  return [...rows.values()].toReversed().map(({ policy: { version, hash, api = 1 }, by, atMs }) => {
    const last = events.findLast((each) => each.hash === hash);
    const state = ((): PolicyVersion["state"] => {
      if (hash === inForce?.hash) return "in force";
      if (hash === trial?.policy.hash) return trial.mode === "shadow" ? "shadow" : "share";
      if (last?.what === "returned") return "returned";
      if (hash === before?.hash) return "before";
      return last?.what === "rolled back" ? "rolled back" : "kept";
    })();
    const made = by === "" ? {} : { by, atMs };
    return {
      version,
      hash,
      api,
      ...made,
      state,
      ...(state === "returned" ? { why: last?.detail ?? "" } : {}),
    };
  });
}
