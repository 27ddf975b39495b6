/** Where documents use policies: their options are put to each policy's own schema, and say where it may lead. */
import type { ApiIssue } from "../api/messages.ts";
import { documentKey, type LoadedDocument } from "../config/load.ts";
import { issueAt } from "../config/issue_at.ts";
import { kinds } from "../config/kinds.ts";
import type { Document } from "../model/document.ts";
import { limits } from "../model/limits.ts";
import { servicesNamedIn } from "../policy/named_services.ts";
import type { StoredPolicy } from "./catalog.ts";

/** Names of the policies that documents use. */
export function policyNamesIn(documents: readonly Document[]): ReadonlySet<string> {
  return new Set(
    documents.flatMap((document) => kinds[document.kind].policyUses(document).map(({ use }) => use.use)),
  );
}

export interface PolicyBundler {
  /** Names of the policies that ship with heddle. */
  readonly shipped: readonly string[];
  /** Turns sources into bundles, and those that ship and are used. */
  bundle(
    files: readonly { readonly file: string; readonly text: string }[],
    used: ReadonlySet<string>,
  ): Promise<{ readonly policies: readonly StoredPolicy[]; readonly issues: readonly ApiIssue[] }>;
  /** What the policy says of these options. */
  check(policy: StoredPolicy, options: Readonly<Record<string, unknown>>): Promise<OptionsAnswer>;
}

export interface OptionsAnswer {
  /** `path` stands below the options: `values.beta.service`. */
  readonly issues: readonly { readonly path: string; readonly message: string }[];
}

export async function checkPolicyUses(
  documents: readonly LoadedDocument[],
  policies: ReadonlyMap<string, StoredPolicy>,
  bundler: PolicyBundler,
): Promise<{
  readonly issues: readonly ApiIssue[];
  readonly leadsTo: ReadonlyMap<string, readonly string[]>;
}> {
  const issues: ApiIssue[] = [];
  const leadsTo = new Map<string, readonly string[]>();
  const processes = new Set<string>();
  for (const { document, source } of documents) {
    const reached = new Set<string>();
    for (const { use, path, opaque } of kinds[document.kind].policyUses(document)) {
      const policy = policies.get(use.use);
      if (policy === undefined) continue;
      // Those that ship share one.
      processes.add(policy.shipped === true ? "" : policy.name);
      if (processes.size > limits.policyProcessesMax) {
        issues.push(issueAt(source, [...path, "use"], tooMany(policy.name)));
        return { issues, leadsTo };
      }
      if (opaque !== undefined && policy.hooks?.includes("onConnection") !== true) {
        const message = `the policy "${use.use}" sees requests alone: declare protocol http, http2 or grpc, not ${opaque}`;
        issues.push(issueAt(source, [...path, "use"], message));
      }
      const answer = await bundler.check(policy, use.with);
      for (const issue of answer.issues) {
        const place = [...path, "with", ...issue.path.split(".").filter((step) => step !== "")];
        issues.push(
          issueAt(source, place, `${issue.message} (an option of the policy "${use.use}")`, {
            code: "HED0105",
          }),
        );
      }
      for (const key of servicesNamedIn(use.with, document.namespace)) reached.add(key);
    }
    if (reached.size > 0) leadsTo.set(documentKey(document), [...reached].sort());
  }
  return { issues, leadsTo };
}

/** Each proxy that carries such a service would need one process more than it may have. */
function tooMany(name: string): string {
  const most = limits.policyProcessesMax;
  return `the policy "${name}" is one too many: documents may use ${most} different policies, those that ship with heddle counted as one (policyProcessesMax)`;
}
