/**
 * The life of a policy in the mesh: a version is tried beside the one in force, as a shadow or for a share of requests, takes its place,
 * or goes; each step is remembered with who took it. A version that fails more often than the one in force goes by itself.
 */
import type { ApiIssue, KnownEntry } from "../api/messages.ts";
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
import { addReadings, verdictOf, type TrialReading } from "../model/trial.ts";
import type {
  Catalog,
  KnownVersion,
  StoredPolicy,
  StoredPolicyHistory,
  StoredTrial,
  StoredVersion,
} from "./catalog.ts";
import type { PolicyFit } from "./policy_fit.ts";
import { knownIn } from "./policy_keys.ts";
import {
  begun,
  promoted,
  requireInForce,
  requireTrial,
  rolledBack,
  shared,
  switched,
  type Step,
} from "./policy_steps.ts";
import { checkPolicyUses, type PolicyBundler } from "./policy_uses.ts";
import {
  changeOperations,
  formerKey,
  knownOf,
  policyKeys,
  versionBy,
  versionKey,
  versionRows,
  type Known,
} from "./policy_versions.ts";
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

export class PolicyLife {
  /** By policy, what each machine told last of the trial that stands. */
  readonly #readings = new Map<
    string,
    { readonly trial: string; readonly ofAll: Map<string, TrialReading> }
  >();

  constructor(readonly options: PolicyLifeOptions) {}

  async step(step: PolicyStep, by: string): Promise<PolicyStepAnswer> {
    if (step.do === "try") return this.#try(step, by);
    const chosen = this.#chosen(step);
    const back = step.do === "rollback" ? (chosen ?? this.#backFrom(step.name)) : chosen;
    const warnings = back === null ? [] : await this.#requireUsable([back]);
    const event = await this.#change(step.name, by, (known) => {
      switch (step.do) {
        case "share":
          return chosen === null || known.trial?.policy.hash === chosen.hash
            ? shared(known, step)
            : begun(known, chosen, { ...step, mode: "percent" }, { by, atMs: this.#nowMs });
        case "promote":
          this.options.fit.requireOf(requireTrial(known, step.name).policy);
          return promoted(known, step.name);
        case "rollback":
          return rolledBack(known, step.name, chosen);
        default:
          return switched(known, step.name, step.do === "disable");
      }
    });
    return { events: [{ ...event, name: step.name }], warnings };
  }

  /** The version that is kept and that the step names; null: it names none. */
  #chosen(step: Exclude<PolicyStep, { do: "try" }>): StoredPolicy | null {
    if ((step.do !== "share" && step.do !== "rollback") || step.hash === undefined) return null;
    const { policies, policyVersions } = this.options.catalog;
    requireInForce(policies.get(step.name), step.name);
    return versionBy(step.name, policyVersions.get(step.name) ?? [], step.hash);
  }

  /** What a rollback leads to; null: only what is tried goes. */
  #backFrom(name: string): StoredPolicy | null {
    const { trial, before } = knownIn(this.options.catalog, name);
    return trial === null ? before : null;
  }

  /** Refuses versions that the documents, or the machines, cannot use. Answers with warnings. */
  async #requireUsable(versions: readonly StoredPolicy[]): Promise<readonly ApiIssue[]> {
    const { catalog, bundler, fit } = this.options;
    const tried = new Map([...catalog.policies, ...versions.map((each) => [each.name, each] as const)]);
    const { documents } = loadDocuments([...catalog.texts.values()], { policies: null });
    const uses = await checkPolicyUses(documents, tried, bundler);
    refuse(uses.issues);
    for (const policy of versions) fit.requireOf(policy);
    return uses.issues;
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
    const warnings = await this.#requireUsable(bundled.policies);
    const events: PolicyStepAnswer["events"][number][] = [];
    for (const policy of bundled.policies) {
      const author = { by, atMs: this.#nowMs };
      const event = await this.#change(policy.name, by, (known) => ({
        ...begun(known, policy, step, author),
        version: { policy, ...author },
      }));
      events.push({ ...event, name: policy.name });
    }
    return { events, warnings };
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
        const known = knownIn(catalog, name);
        const { events, before } = known;
        return {
          ...{ name, version, hash, onError, shipped, disabled, usedBy: uses.get(name) ?? [] },
          trial: this.#trialOf(name),
          events,
          before: before === null ? null : { version: before.version, hash: before.hash },
          versions: versionRows(known),
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
  async #change(name: string, by: string, next: (known: Known) => Step | null): Promise<PolicyEvent> {
    const { store, settled, log } = this.options;
    const keys = policyKeys(name);
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const [former, ...entries] = await Promise.all([formerKey(name), ...keys].map((key) => store.get(key)));
      const [inForce, trial, written] = entries;
      const history = parsed<StoredPolicyHistory>(written);
      const stands = {
        inForce: parsed<StoredPolicy>(inForce),
        trial: parsed<StoredTrial>(trial),
        former: parsed<StoredPolicy>(former),
      };
      const known = knownOf(stands, history, await this.#versionsWith(name, history?.before));
      const change = next(known);
      if (change === null) return { atMs: 0, by, what: "unchanged", version: "", hash: "", detail: "" };
      const event: PolicyEvent = { ...change.event, atMs: this.#nowMs, by };
      const conditions = keys.map((key, at) => ({ key, modified: entries[at]?.modified ?? 0 }));
      const { ok, revision } = await store.commit(
        conditions,
        changeOperations(name, known, { ...change, event }),
      );
      if (!ok) continue;
      log(`${by}: policy ${name} ${eventText(event)}`);
      await settled(revision);
      return event;
    }
    throw new Refusal(409, `Somebody else changed the policy "${name}" at the same moment`, "Try again");
  }

  /** Those that are kept, as far as this controller heard; in any case the one before, which another one may have written just now. */
  async #versionsWith(name: string, before: string | undefined): Promise<readonly KnownVersion[]> {
    const { store, catalog } = this.options;
    const versions = catalog.policyVersions.get(name) ?? [];
    if (before === undefined || versions.some(({ policy }) => policy.hash === before)) return versions;
    const entry = await store.get(versionKey({ name, hash: before }));
    const version = parsed<StoredVersion>(entry);
    return entry === null || version === null
      ? versions
      : [...versions, { ...version, modified: entry.modified }];
  }
}

function eventText({ what, version, hash, detail }: PolicyEvent): string {
  return `${what} ${version}, bundle ${hash.slice(0, 12)}${detail === "" ? "" : `: ${detail}`}`;
}

const attemptsMax = 5;

/** The same version may be tried again. */
function idOf({ policy, startedMs }: StoredTrial): string {
  return `${policy.hash} ${startedMs}`;
}

function parsed<Value>(entry: KnownEntry | null | undefined): Value | null {
  return entry === null || entry === undefined ? null : (JSON.parse(entry.value) as Value);
}

function refuse(issues: PolicyStepAnswer["warnings"]): void {
  const count = issues.filter(({ severity }) => severity === "error").length;
  if (count > 0)
    throw new Refusal(422, `${count} ${count === 1 ? "problem" : "problems"} in the policies`, null, issues);
}
