/**
 * What the registry holds, decoded and kept current: the controller's view of the mesh. It outlives the registry's absence,
 * and an entry that cannot be read never replaces what is known.
 */
import type { StoredAddress } from "./address_plan.ts";
import { registryKeys, type KnownEntry } from "../api/messages.ts";
import { someOf } from "../base/some_of.ts";
import { issueText } from "../config/issue.ts";
import { documentKey, loadDocuments } from "../config/load.ts";
import type { Document } from "../model/document.ts";
import { drainKey, type Drain, type Instance, type Node } from "../model/service.ts";
import { sessionSecretMark, type SessionSecret } from "./session_secret.ts";
import type { StoredOperator } from "./stored_operator.ts";
import type { SignedAuthority } from "../model/shared_authority.ts";
import type { ControlPlace } from "../api/snapshot_messages.ts";
import type { PolicyEvent } from "../api/operator_messages.ts";
import type { PolicyBinding, PolicyCandidate, PolicyRef } from "../model/snapshot.ts";

/** A bundle with what the controller must know of it. */
export interface StoredPolicy extends PolicyRef, Pick<PolicyBinding, "hooks" | "bodies"> {
  readonly text: string;
  /** An operator had it left out: no snapshot has it. */
  readonly disabled?: true;
}

/** Another version of a policy, which is tried beside the one in force. */
export interface StoredTrial extends Pick<PolicyCandidate, "mode" | "percent" | "by"> {
  readonly policy: StoredPolicy;
  /** Name of the operator. */
  readonly startedBy: string;
  readonly startedMs: number;
}

/** One that is kept, whether it is in force or not. */
export interface StoredVersion {
  readonly policy: StoredPolicy;
  /** Name of the operator who handed it in last; empty: it is not known. */
  readonly by: string;
  readonly atMs: number;
}

export interface KnownVersion extends StoredVersion {
  readonly modified: number;
}

/** What happened to a policy. */
export interface StoredPolicyHistory {
  readonly events: readonly PolicyEvent[];
  /** Hash of the version that was in force before. */
  readonly before?: string;
}

/** A document as it was applied. */
export interface StoredDocument {
  readonly file: string;
  readonly text: string;
  /** Keys of the services that its policies may send requests to. */
  readonly leadsTo: readonly string[];
  /** The operator who applied it as it is, and when. Absent: an older version did not keep it. */
  readonly by?: string;
  readonly atMs?: number;
}

/** What every change of documents leaves behind: who made the last one, when, and what it took away. */
export interface LastChange {
  /** The revision that it was made upon. */
  readonly after: number;
  readonly by?: string;
  readonly atMs?: number;
  /** Keys of documents: `HTTPRoute/default/web`. */
  readonly deleted?: readonly string[];
}

export interface KnownDocument extends StoredDocument {
  readonly modified: number;
}

/** Every apply writes it, so that two applies never mix. */
export const documentsMark = `${registryKeys.meta}documents`;

/** Every change of virtual addresses writes it, so that two controllers never mix theirs. */
export const addressesMark = `${registryKeys.meta}addresses`;

/** What all controllers must agree on of the authority. */
export const authorityMark = `${registryKeys.meta}authority`;

/** As the registry keeps it. */
interface StoredHold {
  readonly holder: string;
  readonly value: string;
}

export class Catalog {
  /** null: what stands cannot be read, and never could since the start. */
  documents: readonly Document[] | null = null;
  /** By document key: services that its policies may send requests to. */
  leadsTo: ReadonlyMap<string, readonly string[]> = new Map();
  instances: readonly Instance[] = [];
  nodes: ReadonlyMap<string, Node> = new Map();
  /** Serial numbers of certificates that must not be accepted any more. */
  revoked: ReadonlySet<string> = new Set();
  /** By name. */
  policies: ReadonlyMap<string, StoredPolicy> = new Map();
  /** By name of the policy: what is tried, what happened, and all versions that are kept. */
  policyTrials: ReadonlyMap<string, StoredTrial> = new Map();
  policyHistory: ReadonlyMap<string, StoredPolicyHistory> = new Map();
  policyVersions: ReadonlyMap<string, readonly KnownVersion[]> = new Map();
  policiesBefore: ReadonlyMap<string, StoredPolicy> = new Map();
  /** By key: the revision at which what is in force, tried or happened of a policy changed last. */
  policiesAt: ReadonlyMap<string, number> = new Map();
  /** By name. */
  operators: ReadonlyMap<string, StoredOperator> = new Map();
  /** Documents by registry key. */
  texts: ReadonlyMap<string, KnownDocument> = new Map();
  /** null before the first apply. */
  sessionSecret: SessionSecret | null = null;
  sessionSecretAt = 0;
  /** Virtual addresses of services. */
  addresses: ReadonlyMap<string, StoredAddress> = new Map();
  /** By `drainKey`: what operators took out. */
  drains: ReadonlyMap<string, Drain> = new Map();
  /** By machine with a controller: where its control plane is. */
  places: ReadonlyMap<string, ControlPlace> = new Map();
  /** What controllers hold alone, with the revision since which each does. */
  holds: ReadonlyMap<string, StoredHold & { readonly since: number }> = new Map();
  /** As the controller with the root's key wrote it last; null: it did not yet. */
  authority: SignedAuthority | null = null;
  authorityAt = 0;
  /** Revision at which documents were last applied, and addresses last given. */
  applied = 0;
  /** Who made it; null before the first. */
  lastChange: LastChange | null = null;
  addressed = 0;
  revision = 0;
  /** What of the registry's content cannot be used; null: all can. */
  problem: string | null = null;
  readonly #decoded = new WeakMap<KnownEntry, unknown>();
  #documentsSeen: string | null = null;
  #documentsProblem: string | null = null;
  #waiting: { readonly revision: number; readonly reached: () => void }[] = [];

  /** Takes the whole state over. */
  update(entries: ReadonlyMap<string, KnownEntry>, revision: number): void {
    const unreadable: string[] = [];
    const kinds = Map.groupBy(entries.values(), ({ key }) => key.slice(0, key.indexOf("/") + 1));
    const under = <Value>(prefix: string): Stored<Value>[] =>
      (kinds.get(prefix) ?? []).flatMap((entry) => {
        const { key, modified } = entry;
        const value = this.#decode<Value>(entry);
        if (value === null) unreadable.push(key);
        return value === null ? [] : [{ name: key.slice(prefix.length), value, modified }];
      });
    this.drains = byName(under<Drain>(registryKeys.drains));
    this.instances = under<Instance>(registryKeys.instances).map(({ value }) =>
      isDrained(this.drains, value) ? { ...value, drained: true } : value,
    );
    this.nodes = byName(under<Node>(registryKeys.nodes));
    this.revoked = new Set(under<unknown>(registryKeys.revoked).map((each) => each.name));
    this.policies = byName(under<StoredPolicy>(registryKeys.policies));
    this.policyTrials = byName(under<StoredTrial>(registryKeys.policyTrials));
    this.policyHistory = byName(under<StoredPolicyHistory>(registryKeys.policyHistory));
    const versions = under<StoredVersion>(registryKeys.policyVersions).map(
      ({ value, modified }): KnownVersion => ({ ...value, modified }),
    );
    this.policyVersions = Map.groupBy(versions, ({ policy }) => policy.name);
    this.policiesBefore = byName(under<StoredPolicy>(registryKeys.policiesBefore));
    const { policies, policyTrials, policyHistory } = registryKeys;
    const ofPolicies = [policies, policyTrials, policyHistory].flatMap((prefix) => kinds.get(prefix) ?? []);
    this.policiesAt = new Map(ofPolicies.map(({ key, modified }) => [key, modified]));
    this.operators = byName(under<StoredOperator>(registryKeys.operators));
    const texts = under<StoredDocument>(registryKeys.documents);
    this.texts = new Map(
      texts.map(({ name, value, modified }) => [registryKeys.documents + name, { ...value, modified }]),
    );
    this.leadsTo = new Map(texts.map((each) => [each.name, each.value.leadsTo]));
    this.addresses = byName(under<StoredAddress>(registryKeys.addresses));
    const mark = entries.get(documentsMark);
    this.applied = mark?.modified ?? 0;
    this.lastChange = mark === undefined ? null : decode<LastChange>(mark.value);
    const secret = entries.get(sessionSecretMark);
    const kept = secret === undefined ? null : this.#decode<SessionSecret>(secret);
    this.sessionSecret = typeof kept?.secret === "string" ? kept : null;
    this.sessionSecretAt = secret?.modified ?? 0;
    this.places = byName(under<ControlPlace>(registryKeys.places));
    this.holds = new Map(
      under<StoredHold>(registryKeys.holds).map(({ name, value, modified }) => [
        name,
        { ...value, since: modified },
      ]),
    );
    const authority = entries.get(authorityMark);
    this.authority = authority === undefined ? null : this.#decode<SignedAuthority>(authority);
    this.authorityAt = authority?.modified ?? 0;
    this.addressed = entries.get(addressesMark)?.modified ?? 0;
    this.#parseDocuments();
    this.problem =
      this.#documentsProblem ?? (unreadable.length > 0 ? `cannot read ${someOf(unreadable)}` : null);
    this.revision = revision;
    this.#tellWaiting();
  }

  /** Once for each: an entry that did not change is the same object, and so is what it holds. */
  #decode<Value>(entry: KnownEntry): Value | null {
    const known = this.#decoded.get(entry);
    if (known !== undefined) return known as Value | null;
    const value = decode<Value>(entry.value);
    this.#decoded.set(entry, value);
    return value;
  }

  /** Resolves once the catalog is as new as this revision. */
  reached(revision: number): Promise<void> {
    if (this.revision >= revision) return Promise.resolve();
    return new Promise((reached) => this.#waiting.push({ revision, reached }));
  }

  #tellWaiting(): void {
    const reached = this.#waiting.filter((each) => each.revision <= this.revision);
    this.#waiting = this.#waiting.filter((each) => each.revision > this.revision);
    for (const each of reached) each.reached();
  }

  /**
   * Documents change far more rarely than instances do. All or nothing: without the one that cannot be read, the others
   * could let in whom it kept out.
   */
  #parseDocuments(): void {
    const seen = [...this.texts].map(([key, each]) => `${key}@${each.modified}`).join();
    if (seen === this.#documentsSeen) return;
    this.#documentsSeen = seen;
    const { documents, issues } = loadDocuments([...this.texts.values()], { policies: null });
    const [first] = issues.filter((issue) => issue.severity === "error");
    this.#documentsProblem =
      first === undefined ? null : `cannot use the documents that stand: ${issueText(first)}`;
    if (first === undefined) this.documents = documents.map((each) => each.document);
  }
}

/** With its machine, or by itself. */
function isDrained(drains: ReadonlyMap<string, Drain>, { node, service }: Instance): boolean {
  return drains.has(drainKey({ node, service: null })) || drains.has(drainKey({ node, service }));
}

interface Stored<Value> {
  /** The key without its prefix. */
  readonly name: string;
  readonly value: Value;
  readonly modified: number;
}

function byName<Value>(stored: readonly Stored<Value>[]): ReadonlyMap<string, Value> {
  return new Map(stored.map((each) => [each.name, each.value]));
}

/** null for what is no JSON object. */
function decode<Value>(text: string): Value | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Value) : null;
  } catch {
    return null;
  }
}

/** The registry key of a document. */
export function registryKeyOf(document: Document): string {
  return registryKeys.documents + documentKey(document);
}
