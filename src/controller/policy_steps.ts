/** What each step in the life of a policy makes of it, and which steps are refused. */
import type { PolicyEvent, PolicyStep } from "../api/operator_messages.ts";
import { Refusal } from "../api/problem.ts";
import type { StoredPolicy, StoredTrial } from "./catalog.ts";
import type { Author } from "./document_conflicts.ts";
import type { Change, Known } from "./policy_versions.ts";

/** Who took it, and when, is added. */
export interface Step extends Omit<Change, "event"> {
  readonly event: Omit<PolicyEvent, "atMs" | "by">;
}

type Tried = Pick<StoredTrial, "mode" | "percent" | "by">;

function wordsOf({ mode, percent, by }: Tried): string {
  return mode === "shadow"
    ? "as a shadow"
    : `for ${percent} % of ${by === "machine" ? "machines" : "requests"}`;
}

export function begun(
  { inForce }: Known,
  policy: StoredPolicy,
  { mode, percent, by }: Tried,
  author: Author,
): Step {
  const { version, hash } = policy;
  if (inForce?.hash === hash) throw isInForce(policy);
  const detail = wordsOf({ mode, percent, by });
  return {
    trial: { mode, percent, by, policy, startedBy: author.by, startedMs: author.atMs },
    event: { what: mode === "shadow" ? "shadowed" : "rolled out", version, hash, detail },
  };
}

export function requireTrial({ trial }: Known, name: string): StoredTrial {
  if (trial !== null) return trial;
  throw new Refusal(
    409,
    `No other version of the policy "${name}" is tried`,
    "heddle policy push --shadow or --percent begins it",
  );
}

export function shared(known: Known, { name, percent, by }: Extract<PolicyStep, { do: "share" }>): Step {
  const trial = { ...requireTrial(known, name), mode: "percent" as const, percent, by };
  const { version, hash } = trial.policy;
  return { trial, event: { what: "rolled out", version, hash, detail: wordsOf(trial) } };
}

export function promoted(known: Known, name: string): Step {
  const { policy } = requireTrial(known, name);
  return { ...inForceNow(known, policy, "promoted"), trial: null };
}

/** To `chosen`; null: what is tried goes, and where nothing is, the one before comes back. */
export function rolledBack(known: Known, name: string, chosen: StoredPolicy | null): Step {
  const { trial, inForce, before } = known;
  if (chosen !== null) {
    if (inForce?.hash === chosen.hash) throw isInForce(chosen);
    return { ...inForceNow(known, chosen, "rolled back"), trial: null };
  }
  if (trial !== null) {
    const { version, hash } = trial.policy;
    return { trial: null, event: { what: "rolled back", version, hash, detail: "it is not tried any more" } };
  }
  if (before === null)
    throw new Refusal(
      409,
      `No version before this one of the policy "${name}" is kept, and no other one is tried`,
    );
  return inForceNow(known, before, "rolled back");
}

/** It stays disabled where an operator disabled the policy. */
function inForceNow({ inForce }: Known, policy: StoredPolicy, what: string): Step {
  const { version, hash } = policy;
  return {
    inForce: inForce?.disabled === true ? { ...policy, disabled: true } : policy,
    before: inForce,
    event: { what, version, hash, detail: inForce === null ? "" : `instead of ${inForce.version}` },
  };
}

export function requireInForce(inForce: StoredPolicy | null | undefined, name: string): StoredPolicy {
  if (inForce !== null && inForce !== undefined) return inForce;
  throw new Refusal(404, `There is no policy "${name}"`, "heddle policy list shows those that stand");
}

export function switched({ inForce }: Known, name: string, off: boolean): Step {
  const { disabled: _, ...rest } = requireInForce(inForce, name);
  const { version, hash } = rest;
  const event = { what: off ? "disabled" : "enabled", version, hash, detail: "" };
  return { inForce: off ? { ...rest, disabled: true } : rest, event };
}

function isInForce({ name }: StoredPolicy): Refusal {
  return new Refusal(
    409,
    `This version of the policy "${name}" is in force already`,
    "Nothing differs from it",
  );
}
