/** Taking documents and policies away: what would stand without them is checked first, and all of them go or none. */
import type { ApplyAnswer } from "../api/document_messages.ts";
import type { RemoveRequest } from "../api/operator_messages.ts";
import { Refusal } from "../api/problem.ts";
import { loadDocuments } from "../config/load.ts";
import { documentsMark, registryKeyOf, type Catalog } from "./catalog.ts";
import { changedMeanwhile, markOf } from "./document_conflicts.ts";
import { policyKeysOf, unchangedPolicies } from "./policy_keys.ts";
import type { DocumentServiceOptions } from "./documents.ts";

type Operation =
  | { readonly do: "put"; readonly key: string; readonly value: string }
  | { readonly do: "delete"; readonly key: string };

export class DocumentRemoval {
  constructor(readonly options: DocumentServiceOptions) {}

  async remove(request: RemoveRequest, by: string): Promise<ApplyAnswer> {
    const { catalog, store, settled } = this.options;
    const mark = catalog.applied;
    const gone = new Set(request.documents.map((name) => keyIn(catalog, name)));
    const policies = new Map(catalog.policies);
    for (const name of request.policies) {
      requireOwnPolicy(catalog, name, this.options.bundler.shipped);
      policies.delete(name);
    }
    const left = [...catalog.texts].filter(([key]) => !gone.has(key)).map(([, each]) => each);
    const loaded = loadDocuments(left, { policies: [...policies.keys()] });
    const errors = loaded.issues.filter((issue) => issue.severity === "error");
    if (errors.length > 0)
      throw new Refusal(
        422,
        `Others need it: ${errors.length} ${errors.length === 1 ? "problem" : "problems"} in the documents that would stand`,
        "Delete or change those first",
        errors,
      );
    const documents = loaded.documents.map((each) => each.document);
    const machines = this.options.affected({ documents, leadsTo: catalog.leadsTo, policies });
    const proxies = machines.map(({ node }) => node);
    const changes = [
      ...request.documents.map(({ kind, name }) => ({ kind, name, change: "deleted" as const })),
      ...request.policies.map((name) => ({ kind: "Policy", name, change: "deleted" as const })),
    ];
    if (request.dryRun) return { revision: catalog.revision, changes, proxies, machines, warnings: [] };
    const keys = [...gone, ...request.policies.flatMap((name) => policyKeysOf(catalog, name))];
    const operations: Operation[] = keys.map((key) => ({ do: "delete", key }));
    const marked = markOf(mark, { by, atMs: this.options.wallMs() }, keys);
    const unchanged = [
      { key: documentsMark, modified: mark },
      ...unchangedPolicies(catalog, request.policies),
    ];
    const result = await store.commit(unchanged, [...operations, marked]);
    if (!result.ok) throw changedMeanwhile(catalog, []);
    await settled(result.revision);
    return { revision: result.revision, changes, proxies, machines, warnings: [] };
  }
}

/** Kinds in any case, as people type them. */
function keyIn({ texts, documents }: Catalog, name: RemoveRequest["documents"][number]): string {
  const found = (documents ?? []).find(
    (each) =>
      each.kind.toLowerCase() === name.kind.toLowerCase() &&
      each.name === name.name &&
      each.namespace === name.namespace,
  );
  const key = found === undefined ? null : registryKeyOf(found);
  if (key !== null && texts.has(key)) return key;
  throw new Refusal(
    404,
    `There is no ${name.kind} named "${name.name}" in the namespace ${name.namespace}`,
    "heddle get shows those that stand",
  );
}

/** A policy of that name may stand though one ships: it is given, and goes as others do. */
function requireOwnPolicy({ policies }: Catalog, name: string, shipped: readonly string[]): void {
  const policy = policies.get(name);
  if (policy === undefined ? shipped.includes(name) : policy.shipped === true)
    throw new Refusal(
      409,
      `The policy "${name}" ships with heddle: it comes with documents that use it`,
      "Leave it: where no document uses it, it does nothing",
    );
  if (policy === undefined)
    throw new Refusal(404, `There is no policy "${name}"`, "heddle policy list shows those that stand");
}
