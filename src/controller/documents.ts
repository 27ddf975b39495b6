/**
 * Applying documents: the files are checked together with everything that stands, policies are bundled, and all of it
 * takes effect in one revision or nothing does.
 */
import {
  registryKeys,
  type ApiIssue,
  type ApplyAnswer,
  type ApplyRequest,
  type DocumentsAnswer,
} from "../api/messages.ts";
import { Refusal } from "../api/problem.ts";
import { documentKey, loadDocuments } from "../config/load.ts";
import type { Document } from "../model/document.ts";
import type { Catalog, StoredPolicy } from "./catalog.ts";
import type { StateStore } from "./state_store.ts";

/** Turns policy sources into bundles; built-in ones are always among them. */
export interface PolicyBundler {
  bundle(
    files: readonly { readonly file: string; readonly text: string }[],
  ): Promise<{ readonly policies: readonly StoredPolicy[]; readonly issues: readonly ApiIssue[] }>;
  /** Problems of the options that a document gives to a policy; null when they fit. */
  checkOptions(policy: StoredPolicy, options: Readonly<Record<string, unknown>>): Promise<string | null>;
}

export interface DocumentServiceOptions {
  readonly catalog: Catalog;
  readonly store: StateStore;
  readonly bundler: PolicyBundler;
  /** Machines whose snapshot differs with these documents and policies. */
  readonly affected: (
    documents: readonly Document[],
    policies: ReadonlyMap<string, StoredPolicy>,
  ) => readonly string[];
}

interface Operation {
  readonly do: "put" | "delete";
  readonly key: string;
  readonly value: string;
}

export class DocumentService {
  constructor(readonly options: DocumentServiceOptions) {}

  list(): DocumentsAnswer {
    const { catalog } = this.options;
    const documents = [...catalog.texts].map(([key, each]) => {
      const [kind = "", namespace = "", name = ""] = key.slice(registryKeys.documents.length).split("/");
      return { kind, namespace, name, text: each.text, revision: each.modified };
    });
    return { revision: catalog.revision, documents };
  }

  async apply(request: ApplyRequest): Promise<ApplyAnswer> {
    const { catalog, bundler } = this.options;
    const bundled = await bundler.bundle(request.policies);
    const policies = new Map(catalog.policies);
    for (const policy of bundled.policies) policies.set(policy.name, policy);
    const given = loadDocuments(request.files, { policies: null });
    const givenKeys = new Set(
      given.documents.map((each) => registryKeys.documents + documentKey(each.document)),
    );
    const standing = request.prune
      ? []
      : [...catalog.texts].filter(([key]) => !givenKeys.has(key)).map(([, each]) => each);
    const whole = loadDocuments([...request.files, ...standing], { policies: [...policies.keys()] });
    const issues: ApiIssue[] = [...bundled.issues, ...whole.issues, ...machineIssues(given.machines)];
    if (!issues.some((issue) => issue.severity === "error"))
      issues.push(
        ...(await this.#optionIssues(
          whole.documents.map((each) => each.document),
          policies,
        )),
      );
    const errors = issues.filter((issue) => issue.severity === "error");
    if (errors.length > 0)
      throw new Refusal(
        422,
        `${errors.length} ${errors.length === 1 ? "problem" : "problems"} in the documents`,
        null,
        issues,
      );
    const { operations, changes } = this.#operations(given.documents, givenKeys, bundled.policies, request);
    const documents = whole.documents.map((each) => each.document);
    const proxies = this.options.affected(documents, policies);
    const revision =
      request.dryRun || operations.length === 0 ? catalog.revision : await this.#commit(operations);
    return { revision, changes, proxies, warnings: issues };
  }

  async #commit(operations: readonly Operation[]): Promise<number> {
    const { catalog, store } = this.options;
    // Every document that stood while this was checked must still be what it was.
    const conditions = [...catalog.texts].map(([key, each]) => ({ key, modified: each.modified }));
    const touched = operations
      .filter((each) => !catalog.texts.has(each.key) && each.key.startsWith(registryKeys.documents))
      .map((each) => ({ key: each.key, modified: 0 }));
    const plain = operations.map((each) =>
      each.do === "put"
        ? { do: "put" as const, key: each.key, value: each.value }
        : { do: "delete" as const, key: each.key },
    );
    const result = await store.commit([...conditions, ...touched], plain);
    if (!result.ok)
      throw new Refusal(409, "Somebody else changed the documents at the same moment", "Apply again");
    return result.revision;
  }

  #operations(
    given: readonly { readonly document: Document; readonly text: string }[],
    givenKeys: ReadonlySet<string>,
    policies: readonly StoredPolicy[],
    request: ApplyRequest,
  ): { operations: Operation[]; changes: ApplyAnswer["changes"] } {
    const { catalog } = this.options;
    const operations: Operation[] = [];
    const changes: ApplyAnswer["changes"][number][] = [];
    for (const { document, text } of given) {
      const key = registryKeys.documents + documentKey(document);
      const before = catalog.texts.get(key);
      const change =
        before === undefined ? "created" : before.text.trim() === text.trim() ? "unchanged" : "changed";
      if (change !== "unchanged")
        operations.push({ do: "put", key, value: JSON.stringify({ file: documentKey(document), text }) });
      changes.push({ kind: document.kind, name: document.name, change });
    }
    for (const key of request.prune ? catalog.texts.keys() : []) {
      if (givenKeys.has(key)) continue;
      const [kind = "", , name = ""] = key.slice(registryKeys.documents.length).split("/");
      operations.push({ do: "delete", key, value: "" });
      changes.push({ kind, name, change: "deleted" });
    }
    for (const policy of policies) {
      const before = catalog.policies.get(policy.name);
      const change = before === undefined ? "created" : before.hash === policy.hash ? "unchanged" : "changed";
      if (change !== "unchanged")
        operations.push({
          do: "put",
          key: registryKeys.policies + policy.name,
          value: JSON.stringify(policy),
        });
      changes.push({ kind: "Policy", name: policy.name, change });
    }
    return { operations, changes };
  }

  async #optionIssues(
    documents: readonly Document[],
    policies: ReadonlyMap<string, StoredPolicy>,
  ): Promise<ApiIssue[]> {
    const issues: ApiIssue[] = [];
    for (const document of documents) {
      const uses =
        document.kind === "Service"
          ? document.policies
          : document.kind === "HTTPRoute"
            ? document.rules.flatMap((rule) => rule.policies)
            : [];
      for (const use of uses) {
        const policy = policies.get(use.use);
        const problem =
          policy === undefined ? null : await this.options.bundler.checkOptions(policy, use.with);
        if (problem !== null) {
          const message = `${document.kind} ${document.name}: the options of the policy "${use.use}" do not fit: ${problem}`;
          issues.push({ file: documentKey(document), line: 1, column: 1, severity: "error", message });
        }
      }
    }
    return issues;
  }
}

/** Machine documents stay on their machine. */
function machineIssues(machines: readonly { readonly name: string }[]): ApiIssue[] {
  return machines.map((machine) => ({
    file: "",
    line: 1,
    column: 1,
    severity: "error",
    message: `The Machine document "${machine.name}" belongs on its machine: heddle join --machine FILE`,
  }));
}
