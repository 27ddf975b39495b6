/**
 * The life of a policy in the mesh: a version is tried beside the one in force, as a shadow or for a share of requests, takes its place,
 * or goes; each step is remembered with who took it. A version that fails more often than the one in force goes by itself.
 */
import { registryKeys, type CommitRequest, type KnownEntry } from "../api/messages.ts";
import type {
  PoliciesAnswer,
  PolicyEvent,
  PolicyRow,
  PolicyStep,
  PolicyStepAnswer,
  PolicyTrial,
} from "../api/operator_messages.ts";
import { Refusal } from "../api/problem.ts";
import { kinds } from "../config/kinds.ts";
import { loadDocuments } from "../config/load.ts";
import { limits } from "../model/limits.ts";
import { addReadings, verdictOf, type TrialReading } from "../model/trial.ts";
import type { Catalog, StoredPolicy, StoredTrial } from "./catalog.ts";
import type { PolicyFit } from "./policy_fit.ts";
import { checkPolicyUses, type PolicyBundler } from "./policy_uses.ts";
import type { StateStore } from "./state_store.ts";

export interface PolicyLifeOptions {
  readonly catalog: Catalog;
  readonly store: StateStore;
  readonly bundler: PolicyBundler;
  readonly fit: Pick<PolicyFit, "requireOf">;
  readonly wallMs: () => number;
  /** Waits until the catalog has seen this revision, for a moment at most. */
  readonly settled: (revision: number) => Promise<void>;
  readonly log: (text: string) => void;
}

/** As heddle signs what it does by itself. */
const itself = "heddle";

interface Known {
  readonly inForce: StoredPolicy | null;
  readonly trial: StoredTrial | null;
  readonly before: StoredPolicy | null;
  readonly events: readonly PolicyEvent[];
}

/** What becomes of them; undefined: nothing. */
interface Change {
  readonly inForce?: StoredPolicy;
  readonly trial?: StoredTrial | null;
  readonly before?: StoredPolicy | null;
  readonly event: Omit<PolicyEvent, "atMs" | "by">;
}

type Tried = Pick<StoredTrial, "mode" | "percent" | "by">;

export class PolicyLife {
  /** By policy, what each machine told last of the trial that stands. */
  readonly #readings = new Map<
    string,
    { readonly trial: string; readonly ofAll: Map<string, TrialReading> }
  >();

  constructor(readonly options: PolicyLifeOptions) {}

  async step(step: PolicyStep, by: string): Promise<PolicyStepAnswer> {
    if (step.do === "try") return this.#try(step, by);
    const event = await this.#change(step.name, by, (known) => {
      switch (step.do) {
        case "share":
          return shared(known, step);
        case "promote": {
          const { policy } = requireTrial(known, step.name);
          this.options.fit.requireOf(policy);
          return promoted(known, step.name);
        }
        case "rollback":
          return rolledBack(known, step.name);
        default:
          return switched(known, step.name, step.do === "disable");
      }
    });
    return { events: [{ ...event, name: step.name }], warnings: [] };
  }

  async #try(step: Extract<PolicyStep, { do: "try" }>, by: string): Promise<PolicyStepAnswer> {
    const { catalog, bundler } = this.options;
    const bundled = await bundler.bundle(step.policies, new Set());
    refuse(bundled.issues);
    if (bundled.policies.length === 0) throw new Refusal(400, "There is no policy in the files");
    for (const { name } of bundled.policies)
      if (!catalog.policies.has(name))
        throw new Refusal(
          409,
          `There is no policy "${name}" in force beside which another version could be tried`,
          "heddle policy push without --shadow and --percent hands in the first one",
        );
    const tried = new Map([
      ...catalog.policies,
      ...bundled.policies.map((each) => [each.name, each] as const),
    ]);
    const { documents } = loadDocuments([...catalog.texts.values()], { policies: null });
    const uses = await checkPolicyUses(documents, tried, bundler);
    refuse(uses.issues);
    for (const policy of bundled.policies) this.options.fit.requireOf(policy);
    const events: PolicyStepAnswer["events"][number][] = [];
    for (const policy of bundled.policies) {
      const event = await this.#change(policy.name, by, (known) =>
        begun(known, policy, step, by, this.#nowMs),
      );
      events.push({ ...event, name: policy.name });
    }
    return { events, warnings: uses.issues };
  }

  get #nowMs(): number {
    return this.options.wallMs();
  }

  /** What a machine's proxy tells of versions that are tried. One that fails more often, there or in all, goes. */
  async told(node: string, readings: readonly TrialReading[]): Promise<void> {
    for (const reading of readings) {
      const { name, hash, startedMs } = reading;
      const trial = this.options.catalog.policyTrials.get(name);
      // One that is tried again is another trial: what was counted before says nothing of it.
      if (trial?.policy.hash !== hash || (startedMs ?? trial.startedMs) !== trial.startedMs) continue;
      const known = this.#readings.get(name);
      const ofAll = known?.trial === idOf(trial) ? known.ofAll : new Map<string, TrialReading>();
      this.#readings.set(name, {
        trial: idOf(trial),
        ofAll: ofAll.set(node, { ...reading, startedMs: trial.startedMs }),
      });
      const sum = this.#readingOf(name, trial);
      if (sum === null) continue;
      const why = sum.returned ?? verdictOf(sum);
      if (why === null) continue;
      await this.#change(name, itself, (known) => {
        if (known.trial === null || idOf(known.trial) !== idOf(trial)) return null;
        const { version } = known.trial.policy;
        return { trial: null, event: { what: "returned", version, hash, detail: why } };
      });
    }
  }

  /** All machines together; null: none told of it. */
  #readingOf(name: string, trial: StoredTrial): TrialReading | null {
    const known = this.#readings.get(name);
    return known?.trial === idOf(trial) ? (addReadings([...known.ofAll.values()])[0] ?? null) : null;
  }

  /** Those that stand, by name, and which documents use each. */
  rows(): PoliciesAnswer {
    const { catalog } = this.options;
    const uses = new Map<string, string[]>();
    for (const document of catalog.documents ?? [])
      for (const name of new Set(kinds[document.kind].policyUses(document).map(({ use }) => use.use)))
        uses.set(name, [...(uses.get(name) ?? []), `${document.kind} ${document.name}`]);
    const policies = [...catalog.policies.values()]
      .map(({ name, version, hash, onError, shipped = false, disabled = false }): PolicyRow => {
        const before = catalog.policiesBefore.get(name);
        return {
          ...{ name, version, hash, onError, shipped, disabled, usedBy: uses.get(name) ?? [] },
          trial: this.#trialOf(name),
          events: catalog.policyHistory.get(name)?.events ?? [],
          before: before === undefined ? null : { version: before.version, hash: before.hash },
        };
      })
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    return { policies };
  }

  #trialOf(name: string): PolicyTrial | null {
    const trial = this.options.catalog.policyTrials.get(name);
    if (trial === undefined) return null;
    const { mode, percent, by, startedBy, startedMs, policy } = trial;
    const { version, hash } = policy;
    const reading = this.#readingOf(name, trial);
    return { version, hash, mode, percent, by, startedBy, startedMs, reading };
  }

  /** `next` says what becomes of what stands; null: nothing. Again where somebody else changed it meanwhile. */
  async #change(name: string, by: string, next: (known: Known) => Change | null): Promise<PolicyEvent> {
    const { store, settled, log } = this.options;
    const keys = keysOf(name);
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const entries = await Promise.all(keys.map((key) => store.get(key)));
      const known = knownIn(entries);
      const change = next(known);
      if (change === null) return { atMs: 0, by, what: "unchanged", version: "", hash: "", detail: "" };
      const event: PolicyEvent = { ...change.event, atMs: this.#nowMs, by };
      const events = [...known.events, event].slice(-limits.policyHistoryMax);
      const values = [change.inForce, change.trial, change.before, { events }];
      const operations = values.flatMap((value, at): CommitRequest["operations"][number][] => {
        const key = keys[at] ?? "";
        if (value === undefined) return [];
        return [value === null ? { do: "delete", key } : { do: "put", key, value: JSON.stringify(value) }];
      });
      const conditions = keys.map((key, at) => ({ key, modified: entries[at]?.modified ?? 0 }));
      const { ok, revision } = await store.commit(conditions, operations);
      if (!ok) continue;
      log(
        `${by}: policy ${name} ${event.what} ${event.version}${event.detail === "" ? "" : `: ${event.detail}`}`,
      );
      await settled(revision);
      return event;
    }
    throw new Refusal(409, `Somebody else changed the policy "${name}" at the same moment`, "Try again");
  }
}

const attemptsMax = 5;

/** The same version may be tried again. */
function idOf({ policy, startedMs }: StoredTrial): string {
  return `${policy.hash} ${startedMs}`;
}

function keysOf(name: string): readonly string[] {
  const { policies, policyTrials, policiesBefore, policyHistory } = registryKeys;
  return [policies, policyTrials, policiesBefore, policyHistory].map((prefix) => prefix + name);
}

function knownIn(entries: readonly (KnownEntry | null)[]): Known {
  const [inForce = null, trial = null, before = null, history = null] = entries.map((entry) =>
    entry === null ? null : (JSON.parse(entry.value) as unknown),
  );
  return {
    inForce: inForce as StoredPolicy | null,
    trial: trial as StoredTrial | null,
    before: before as StoredPolicy | null,
    events: (history as { readonly events?: readonly PolicyEvent[] } | null)?.events ?? [],
  };
}

function refuse(issues: PolicyStepAnswer["warnings"]): void {
  const count = issues.filter(({ severity }) => severity === "error").length;
  if (count > 0)
    throw new Refusal(422, `${count} ${count === 1 ? "problem" : "problems"} in the policies`, null, issues);
}

function wordsOf({ mode, percent, by }: Tried): string {
  return mode === "shadow"
    ? "as a shadow"
    : `for ${percent} % of ${by === "machine" ? "machines" : "requests"}`;
}

function begun(
  { inForce }: Known,
  policy: StoredPolicy,
  { mode, percent, by }: Tried,
  startedBy: string,
  startedMs: number,
): Change {
  const { name, version, hash } = policy;
  if (inForce?.hash === hash)
    throw new Refusal(
      409,
      `This version of the policy "${name}" is in force already`,
      "Nothing differs from it",
    );
  const detail = wordsOf({ mode, percent, by });
  return {
    trial: { mode, percent, by, policy, startedBy, startedMs },
    event: { what: mode === "shadow" ? "shadowed" : "rolled out", version, hash, detail },
  };
}

function requireTrial({ trial }: Known, name: string): StoredTrial {
  if (trial !== null) return trial;
  throw new Refusal(
    409,
    `No other version of the policy "${name}" is tried`,
    "heddle policy push --shadow or --percent begins it",
  );
}

function shared(known: Known, { name, percent, by }: Extract<PolicyStep, { do: "share" }>): Change {
  const trial = { ...requireTrial(known, name), mode: "percent" as const, percent, by };
  const { version, hash } = trial.policy;
  return { trial, event: { what: "rolled out", version, hash, detail: wordsOf(trial) } };
}

function promoted(known: Known, name: string): Change {
  const { policy } = requireTrial(known, name);
  const { version, hash } = policy;
  const detail = known.inForce === null ? "" : `instead of ${known.inForce.version}`;
  return {
    inForce: policy,
    before: known.inForce,
    trial: null,
    event: { what: "promoted", version, hash, detail },
  };
}

function rolledBack({ trial, inForce, before }: Known, name: string): Change {
  if (trial !== null) {
    const { version, hash } = trial.policy;
    return { trial: null, event: { what: "rolled back", version, hash, detail: "it is not tried any more" } };
  }
  if (before === null)
    throw new Refusal(
      409,
      `No version before this one of the policy "${name}" is kept, and no other one is tried`,
    );
  const { version, hash } = before;
  const detail = inForce === null ? "" : `instead of ${inForce.version}`;
  return { inForce: before, before: inForce, event: { what: "rolled back", version, hash, detail } };
}

function switched({ inForce }: Known, name: string, off: boolean): Change {
  if (inForce === null)
    throw new Refusal(404, `There is no policy "${name}"`, "heddle policy list shows those that stand");
  const { version, hash } = inForce;
  const { disabled: _, ...rest } = inForce;
  const event = { what: off ? "disabled" : "enabled", version, hash, detail: "" };
  return { inForce: off ? { ...rest, disabled: true } : rest, event };
}
