/**
 * Whether the machines of the mesh can run a policy: it may be written against an SDK that a proxy of an older version has not. Asked
 * before a policy is handed out. A machine that never followed its snapshots since this controller began says nothing.
 */
import { Refusal } from "../api/problem.ts";
import { limits } from "../model/limits.ts";
import type { Node } from "../model/service.ts";
import { lacking } from "../policy/support.ts";
import type { Catalog, StoredPolicy } from "./catalog.ts";
import type { NodeState } from "./publisher.ts";
import type { Content, Snapshots } from "./snapshots.ts";

export interface PolicyFitOptions {
  readonly catalog: Pick<Catalog, "nodes" | "documents" | "leadsTo" | "policies" | "policyTrials">;
  readonly snapshots: Pick<Snapshots, "policiesOf">;
  readonly viewOf: (node: string) => Pick<NodeState, "about" | "uses">;
}

interface Unable {
  readonly node: string;
  readonly version: string;
  /** `api 2`, `onChunk`. */
  readonly lacks: string;
}

export class PolicyFit {
  constructor(readonly options: PolicyFitOptions) {}

  /** Refuses content that would give a machine a policy that it cannot run, and that it has not now. */
  requireFor(content: Content): void {
    const lackingOnes = new Map<StoredPolicy, readonly Unable[]>();
    const tried = [...this.options.catalog.policyTrials.values()].map((each) => each.policy);
    for (const policy of [...content.policies.values(), ...tried]) {
      const unable = this.#unable(policy);
      if (unable.length > 0) lackingOnes.set(policy, unable);
    }
    if (lackingOnes.size === 0) return;
    for (const [policy, unable] of lackingOnes) {
      const { hash } = policy;
      const asked = this.#those(unable, content, ({ now, then }) => then.has(hash) && !now.has(hash));
      refuse(policy, asked);
    }
  }

  /** Refuses a version of a policy that a machine cannot run where it uses that policy. */
  requireOf(policy: StoredPolicy): void {
    const { documents, leadsTo, policies } = this.options.catalog;
    const inForce = policies.get(policy.name)?.hash ?? "";
    const content = { documents: documents ?? [], leadsTo, policies };
    const unable = this.#unable(policy);
    if (unable.length > 0)
      refuse(
        policy,
        this.#those(unable, content, ({ now }) => now.has(inForce)),
      );
  }

  #unable(policy: StoredPolicy): Unable[] {
    return this.#members().flatMap(({ name: node }) => {
      const { about } = this.options.viewOf(node);
      const lacks = about === null ? null : lacking(policy, about.policies);
      return lacks === null || about === null ? [] : [{ node, version: about.version, lacks }];
    });
  }

  /** Those whose policies are as asked, by hash. */
  #those(
    unable: readonly Unable[],
    content: Content,
    asked: (hashes: { readonly now: ReadonlySet<string>; readonly then: ReadonlySet<string> }) => boolean,
  ): readonly Unable[] {
    const names = new Set(unable.map(({ node }) => node));
    const machines = this.#members().filter(({ name }) => names.has(name));
    const usesOf = (node: string): readonly string[] => this.options.viewOf(node).uses;
    const found = this.options.snapshots.policiesOf(machines, content, usesOf);
    const meant = new Set(
      machines.flatMap(({ name }, at) => {
        const [now, then] = [found[at]?.now ?? [], found[at]?.then ?? []].map(
          (refs) => new Set(refs.map(({ hash }) => hash)),
        );
        return now !== undefined && then !== undefined && asked({ now, then }) ? [name] : [];
      }),
    );
    return unable.filter(({ node }) => meant.has(node));
  }

  #members(): Node[] {
    return [...this.options.catalog.nodes.values()].filter(({ removed }) => !removed);
  }
}

function refuse({ name, version }: StoredPolicy, unable: readonly Unable[]): void {
  if (unable.length === 0) return;
  const shown = unable
    .slice(0, limits.policyMachinesShownMax)
    .map((each) => `${each.node} (${each.version})`);
  const more = unable.length - shown.length;
  const lacks = [...new Set(unable.map((each) => each.lacks))].join(", ");
  const who = `${shown.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
  throw new Refusal(
    409,
    `The policy "${name}" ${version} needs ${lacks}, which heddle has not on ${who}`,
    "heddle upgrade brings a newer version to a machine; or write the policy without it",
  );
}
