/**
 * Applying documents: the files are checked together with everything that stands, policies are bundled, and all of it
 * takes effect in one revision or nothing does.
 */
import type { ApplyAnswer, ApplyRequest, DocumentsPage, MachineChange } from "../api/document_messages.ts";
import { registryKeys, type ApiIssue, type CommitAnswer, type CommitRequest } from "../api/messages.ts";
import { Page, type PageQuery } from "../api/pages.ts";
import { Refusal } from "../api/problem.ts";
import { kinds } from "../config/kinds.ts";
import { documentKey, loadDocuments, type LoadedDocument, type LoadResult } from "../config/load.ts";
import { inOrderOfPlace } from "../config/issue.ts";
import { issueAt } from "../config/issue_at.ts";
import { lintDocuments, type KnownInstance } from "../config/lint/lint.ts";
import { appliedKinds } from "../model/document.ts";
import {
  documentsMark,
  registryKeyOf,
  type Catalog,
  type StoredDocument,
  type StoredPolicy,
} from "./catalog.ts";
import type { PolicyFit } from "./policy_fit.ts";
import { changeOperations } from "./policy_versions.ts";
import { knownIn, policyKeysOf, unchangedPolicies } from "./policy_keys.ts";
import { checkPolicyUses, policyNamesIn, type PolicyBundler } from "./policy_uses.ts";
import { changedMeanwhile, markOf, refuseChangedSince, type Author } from "./document_conflicts.ts";
import { newSessionSecret } from "./session_secret.ts";
import type { Content } from "./snapshots.ts";
import type { StateStore } from "./state_store.ts";

export interface DocumentServiceOptions {
  readonly catalog: Catalog;
  readonly store: StateStore;
  readonly bundler: PolicyBundler;
  /** What runs, as far as it is known: warnings go by it. */
  readonly instances: () => readonly KnownInstance[];
  /** Machines whose snapshot would differ with this content, and how. */
  readonly affected: (content: Content) => readonly MachineChange[];
  readonly fit: Pick<PolicyFit, "requireFor">;
  readonly wallMs: () => number;
  /** Waits until the catalog has seen this revision, for a moment at most. */
  readonly settled: (revision: number) => Promise<void>;
}

type Operation =
  | { readonly do: "put"; readonly key: string; readonly value: string }
  | { readonly do: "delete"; readonly key: string };

type Change = ApplyAnswer["changes"][number];

/** What an apply would do. */
interface Plan {
  /** Beside the mark of the documents. */
  readonly conditions: CommitRequest["conditions"][number][];
  readonly operations: Operation[];
  readonly changes: Change[];
}

export class DocumentService {
  constructor(readonly options: DocumentServiceOptions) {}

  list(query: PageQuery): DocumentsPage {
    const { catalog } = this.options;
    const page = new Page(query);
    const sorted = [...catalog.texts]
      .map(([key, { text, modified, by, atMs }]) => ({
        ...{ ...namesIn(key), text, revision: modified },
        ...(by === undefined ? {} : { by }),
        ...(atMs === undefined ? {} : { atMs }),
      }))
      .sort((a, b) => (orderOf(a) < orderOf(b) ? -1 : 1));
    const documents = page.add(sorted, orderOf, (each) => each);
    return { revision: catalog.revision, documents, next: page.next };
  }

  /**
   * Again where somebody else applied other documents at the same moment: both hold then. What changes the same ones, or
   * prunes, is refused.
   */
  async apply(request: ApplyRequest, by: string): Promise<ApplyAnswer> {
    const before = versionsIn(this.options.catalog);
    for (let attempt = 0; ; attempt++) {
      const author = { by, atMs: this.options.wallMs() };
      const made = await this.#attempt(request, before, author);
      if (made.answer !== null) return made.answer;
      if (request.prune || attempt >= attemptsMax) throw changedMeanwhile(this.options.catalog, []);
      await this.options.settled(made.revision);
    }
  }

  /** Without an answer: the documents were changed while these were checked. */
  async #attempt(
    request: ApplyRequest,
    before: ReadonlyMap<string, string>,
    author: Author,
  ): Promise<{ readonly answer: ApplyAnswer | null; readonly revision: number }> {
    const { catalog, bundler, settled } = this.options;
    // What is checked below is checked against the documents of this mark; the commit holds only if it still stands.
    const mark = catalog.applied;
    const given = loadDocuments(request.files, { policies: null });
    const standing = [...(catalog.documents ?? [])];
    const used = policyNamesIn([...given.documents.map(({ document }) => document), ...standing]);
    const bundled = await bundler.bundle(request.policies, used);
    const policies = new Map(catalog.policies);
    for (const policy of bundled.policies) policies.set(policy.name, policy);
    requireSomething(request, given);
    const whole = this.#loadWhole(request, given, policies);
    const warnings = lintDocuments(whole.documents, this.options.instances());
    const ofDocuments = inOrderOfPlace([...whole.issues, ...machineIssues(whole), ...warnings]);
    const issues: ApiIssue[] = [...bundled.issues, ...ofDocuments];
    refuseErrors(issues);
    const uses = await checkPolicyUses(whole.documents, policies, bundler);
    issues.push(...uses.issues);
    refuseErrors(issues);
    const plan: Plan = { conditions: [], operations: [], changes: [] };
    this.#planDocuments(plan, whole.documents, { given, leadsTo: uses.leadsTo, author });
    if (request.prune) this.#planDeletions(plan, given);
    this.#planPolicies(plan, bundled.policies, author);
    if (request.prune) issues.push(...this.#planPolicyDeletions(plan, bundled.policies, whole.documents));
    const documents = whole.documents.map((each) => each.document);
    const keys = plan.operations.map(({ key }) => key);
    if (request.revision !== undefined) refuseChangedSince(catalog, keys, request.revision);
    this.options.fit.requireFor({ documents, leadsTo: uses.leadsTo, policies });
    const machines = this.options.affected({ documents, leadsTo: uses.leadsTo, policies });
    const proxies = machines.map(({ node }) => node);
    const answer = { changes: plan.changes, proxies, machines, warnings: issues };
    if (request.dryRun || plan.operations.length === 0)
      return { answer: { revision: catalog.revision, ...answer }, revision: catalog.revision };
    const now = versionsIn(catalog);
    const others = keys.filter((key) => before.get(key) !== now.get(key));
    if (others.length > 0) throw changedMeanwhile(catalog, others);
    const { ok, revision } = await this.#commit(plan, mark, author);
    if (!ok) return { answer: null, revision };
    await settled(revision);
    return { answer: { revision, ...answer }, revision };
  }

  /** The set as it would stand: the given files, and what stands beside them. */
  #loadWhole(
    request: ApplyRequest,
    given: LoadResult,
    policies: ReadonlyMap<string, StoredPolicy>,
  ): LoadResult {
    const { texts } = this.options.catalog;
    if (request.prune && given.documents.length === 0 && given.issues.length === 0 && texts.size > 0)
      throw new Refusal(
        400,
        `Cannot prune: the files hold no document, so all ${texts.size} would be deleted`,
      );
    const replaced = new Set(given.documents.map((each) => registryKeyOf(each.document)));
    const standing = request.prune
      ? []
      : [...texts].filter(([key]) => !replaced.has(key)).map(([, each]) => each);
    return loadDocuments([...request.files, ...standing], {
      policies: [...new Set([...policies.keys(), ...this.options.bundler.shipped])],
    });
  }

  #planDocuments(
    plan: Plan,
    whole: readonly LoadedDocument[],
    {
      given,
      leadsTo,
      author,
    }: { readonly given: LoadResult; readonly leadsTo: Content["leadsTo"]; readonly author: Author },
  ): void {
    const { texts } = this.options.catalog;
    const named = new Set(given.documents.map((each) => registryKeyOf(each.document)));
    for (const { document, source } of whole) {
      const key = registryKeyOf(document);
      const before = texts.get(key);
      const file = documentKey(document);
      const stored: StoredDocument = { file, text: source.text.trim(), leadsTo: leadsTo.get(file) ?? [] };
      const same =
        before !== undefined &&
        before.text === stored.text &&
        JSON.stringify(before.leadsTo) === JSON.stringify(stored.leadsTo);
      if (!same) plan.operations.push({ do: "put", key, value: JSON.stringify({ ...stored, ...author }) });
      if (!named.has(key)) continue;
      const change = before === undefined ? "created" : same ? "unchanged" : "changed";
      plan.changes.push({ kind: document.kind, name: document.name, change });
    }
  }

  #planDeletions(plan: Plan, given: LoadResult): void {
    const kept = new Set(given.documents.map((each) => registryKeyOf(each.document)));
    for (const key of this.options.catalog.texts.keys()) {
      if (kept.has(key)) continue;
      const { kind, name } = namesIn(key);
      plan.operations.push({ do: "delete", key });
      plan.changes.push({ kind, name, change: "deleted" });
    }
  }

  /** Policies that are not among the files: nobody uses them, or it is told that somebody does. */
  #planPolicyDeletions(
    plan: Plan,
    given: readonly StoredPolicy[],
    documents: readonly LoadedDocument[],
  ): ApiIssue[] {
    const names = new Set(given.map(({ name }) => name));
    const gone = [...this.options.catalog.policies.keys()].filter((name) => !names.has(name));
    return gone.flatMap((name) => {
      for (const { document, source } of documents) {
        const use = kinds[document.kind].policyUses(document).find((each) => each.use.use === name);
        if (use === undefined) continue;
        const message = `the policy "${name}" is not among the files any more: the one that stands goes on`;
        return [issueAt(source, [...use.path, "use"], message, { code: "HED0162" })];
      }
      if (this.options.catalog.policies.get(name)?.shipped !== true)
        plan.changes.push({ kind: "Policy", name, change: "deleted" });
      plan.conditions.push(...unchangedPolicies(this.options.catalog, [name]));
      for (const key of policyKeysOf(this.options.catalog, name)) plan.operations.push({ do: "delete", key });
      return [];
    });
  }

  #planPolicies(plan: Plan, policies: readonly StoredPolicy[], author: Author): void {
    for (const policy of policies) {
      const before = this.options.catalog.policies.get(policy.name);
      if (before?.hash === policy.hash) continue;
      const change = before === undefined ? "created" : "changed";
      // The shipped ones come along with the first apply: nobody asked for them.
      if (policy.shipped !== true || change === "changed")
        plan.changes.push({ kind: "Policy", name: policy.name, change, hash: policy.hash });
      plan.conditions.push(...unchangedPolicies(this.options.catalog, [policy.name]));
      plan.operations.push(...this.#pushed(policy, before, author));
    }
  }

  /** The version before stays, for a way back; who pushed this one is remembered. */
  #pushed(pushed: StoredPolicy, before: StoredPolicy | undefined, author: Author): readonly Operation[] {
    const { name, version, hash } = pushed;
    const policy = before?.disabled === true ? { ...pushed, disabled: true as const } : pushed;
    if (policy.shipped === true)
      return [{ do: "put", key: registryKeys.policies + name, value: JSON.stringify(policy) }];
    const known = knownIn(this.options.catalog, name);
    return changeOperations(name, known, {
      inForce: policy,
      ...(before === undefined ? {} : { before }),
      version: { policy: pushed, ...author },
      event: { ...author, what: "pushed", version, hash, detail: "" },
    });
  }

  #commit({ operations, conditions }: Plan, mark: number, author: Author): Promise<CommitAnswer> {
    const deleted = operations.filter((each) => each.do === "delete").map(({ key }) => key);
    const marked = markOf(mark, author, deleted);
    const { catalog, store, wallMs } = this.options;
    const first = catalog.sessionSecret === null ? [newSessionSecret(null, wallMs())] : [];
    return store.commit(
      [{ key: documentsMark, modified: mark }, ...conditions],
      [...operations, ...first, marked],
    );
  }
}

const attemptsMax = 10;

/** What stands under each key, told apart. */
function versionsIn({ texts, policies }: Catalog): ReadonlyMap<string, string> {
  return new Map([
    ...[...texts].map(([key, { modified }]) => [key, String(modified)] as const),
    ...[...policies].map(([name, { hash }]) => [registryKeys.policies + name, hash] as const),
  ]);
}

function requireSomething(
  { prune, policies }: ApplyRequest,
  { documents, machines, issues }: LoadResult,
): void {
  if (prune || documents.length > 0 || machines.length > 0 || policies.length > 0 || issues.length > 0)
    return;
  throw new Refusal(400, "There is nothing to apply: the files hold no document and no policy");
}

function refuseErrors(issues: readonly ApiIssue[]): void {
  const count = issues.filter((issue) => issue.severity === "error").length;
  if (count === 0) return;
  throw new Refusal(422, `${count} ${count === 1 ? "problem" : "problems"} in the documents`, null, issues);
}

/** Machine documents stay on their machine. */
function machineIssues({ machines }: LoadResult): ApiIssue[] {
  const message = "a Machine document belongs on its machine: heddle join --machine FILE";
  return machines.map(({ source }) => issueAt(source, ["kind"], message));
}

function namesIn(key: string): { readonly kind: string; readonly namespace: string; readonly name: string } {
  const [kind = "", namespace = "", name = ""] = key.slice(registryKeys.documents.length).split("/");
  return { kind, namespace, name };
}

/** Services before what refers to them; last what another version of heddle applied and this one does not know. */
function orderOf(document: {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}): string {
  const known = (appliedKinds as readonly string[]).indexOf(document.kind);
  const rank = known < 0 ? appliedKinds.length : known;
  return `${String(rank).padStart(2, "0")}/${document.kind}/${document.namespace}/${document.name}`;
}
