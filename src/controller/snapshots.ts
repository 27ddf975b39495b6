/** Snapshots of machines from the catalog as it stands: compiled once for all of them until something changes. */
import type { Authority } from "../identity/authority.ts";
import type { Document } from "../model/document.ts";
import { nodeId, serviceId } from "../model/identity.ts";
import type { BudgetLimit } from "../model/budget.ts";
import type { SharedRate } from "../model/rate_slice.ts";
import type { Node } from "../model/service.ts";
import type { PolicyRef, Snapshot } from "../model/snapshot.ts";
import type { MachineChange } from "../api/document_messages.ts";
import type { Catalog, StoredPolicy } from "./catalog.ts";
import { SnapshotComparison } from "./compile/snapshot_changes.ts";
import { SnapshotCompiler, type CompiledService, type CompileInput } from "./compile/snapshot_compiler.ts";

/** Documents and policies that stand, or would stand. */
export interface Content {
  readonly documents: readonly Document[];
  readonly leadsTo: ReadonlyMap<string, readonly string[]>;
  readonly policies: ReadonlyMap<string, StoredPolicy>;
}

export type NodeSnapshot =
  | { readonly kind: "snapshot"; readonly snapshot: Snapshot }
  /** The machine is not part of the mesh, or no longer. */
  | { readonly kind: "removed" }
  /** What stands cannot be used: the machine keeps what it has. */
  | { readonly kind: "held" };

export class Snapshots {
  #compiler: SnapshotCompiler | null = null;
  /** The one before: what is the same is not made again. */
  #before: SnapshotCompiler | null = null;

  constructor(
    readonly catalog: Catalog,
    readonly authority: Pick<Authority, "trustDomain" | "bundle">,
  ) {}

  /** The catalog changed. */
  changed(): void {
    this.#before = this.#compiler ?? this.#before;
    this.#compiler = null;
  }

  of(name: string, uses: readonly string[]): NodeSnapshot {
    const node = this.catalog.nodes.get(name);
    if (node === undefined || node.removed) return { kind: "removed" };
    const compiler = this.#current();
    if (compiler === null) return { kind: "held" };
    return { kind: "snapshot", snapshot: compiler.compile({ node: name, services: node.services, uses }) };
  }

  /** Of these keys, those that no service has; null while no documents are known that can be used. */
  missing(uses: readonly string[]): readonly string[] | null {
    const compiler = this.#current();
    return compiler === null ? null : uses.filter((key) => !compiler.has(key));
  }

  /** What all instances of a service take together; null: as much as comes. */
  sharedRate(key: string): SharedRate | null {
    return this.#current()?.sharedRate(key) ?? null;
  }

  /** A budget of tokens of a service; null: it has none of that name. */
  budget(key: string, name: string): BudgetLimit | null {
    const { budgets = [] } = this.service(key)?.destination.inference ?? {};
    return budgets.find((budget) => budget.name === name) ?? null;
  }

  /** A service as its callers and its own machines have it; null: none is known by this key. */
  service(key: string): CompiledService | null {
    return this.#current()?.service(key) ?? null;
  }

  /** Keys of all services that are declared; none while no documents are known that can be used. */
  serviceKeys(): readonly string[] {
    return [...(this.#current()?.keys ?? [])];
  }

  /** The machines whose snapshot would differ with this content, sorted by name, each with what differs. */
  affectedBy(content: Content, usesOf: (node: string) => readonly string[]): MachineChange[] {
    const now = this.#current();
    const then = new SnapshotCompiler(this.#input(content), now);
    const comparison = new SnapshotComparison();
    return [...this.catalog.nodes.values()]
      .filter((node) => !node.removed)
      .flatMap(({ name, services }): MachineChange[] => {
        const machine = { node: name, services, uses: usesOf(name) };
        const [before, after] = [now?.compile(machine), then.compile(machine)];
        if (before?.version === after.version) return [];
        const changes = before === undefined ? ["everything"] : comparison.changes(before, after);
        return [{ node: name, changes }];
      })
      .sort((a, b) => (a.node < b.node ? -1 : 1));
  }

  /** What the snapshot of each of these machines has of policies, as it stands and with this content. */
  policiesOf(
    machines: readonly Pick<Node, "name" | "services">[],
    content: Content,
    usesOf: (node: string) => readonly string[],
  ): readonly { readonly now: readonly PolicyRef[]; readonly then: readonly PolicyRef[] }[] {
    const now = this.#current();
    const then = new SnapshotCompiler(this.#input(content), now);
    return machines.map(({ name, services }) => {
      const machine = { node: name, services, uses: usesOf(name) };
      return { now: now?.compile(machine).policies ?? [], then: then.compile(machine).policies };
    });
  }

  #current(): SnapshotCompiler | null {
    const { documents, leadsTo, policies } = this.catalog;
    const known = this.#compiler;
    if (known !== null && known.input.bundle.sequence === this.authority.bundle.sequence) return known;
    if (documents === null) return null;
    this.#compiler = new SnapshotCompiler(
      this.#input({ documents, leadsTo, policies }),
      known ?? this.#before,
    );
    this.#before = null;
    return this.#compiler;
  }

  #input({ documents, leadsTo, policies }: Content): CompileInput {
    const { trustDomain, bundle } = this.authority;
    const { nodes, revoked } = this.catalog;
    const instances = this.catalog.instances.filter((each) => nodes.get(each.node)?.removed !== true);
    const deniedIds = deniedIdsOf([...nodes.values()], trustDomain);
    const deniedSerials = [...revoked];
    const { sessionSecret } = this.catalog;
    const addresses = new Map(
      [...this.catalog.addresses].map(([address, { service }]) => [service, address]),
    );
    return {
      ...{ trustDomain, bundle, deniedIds, deniedSerials, sessionSecret },
      ...{ documents, leadsTo, policies, instances, addresses },
      trials: this.catalog.policyTrials,
      drains: new Set(this.catalog.drains.keys()),
    };
  }
}

/** IDs of removed machines, and of services that only removed machines were. */
function deniedIdsOf(nodes: readonly Node[], trustDomain: string): string[] {
  const idsOf = (some: readonly Node[]): string[] =>
    some.flatMap((node) => node.services.map((service) => serviceId(trustDomain, service)));
  const removed = nodes.filter((node) => node.removed);
  const served = new Set(idsOf(nodes.filter((node) => !node.removed)));
  const services = idsOf(removed).filter((id) => !served.has(id));
  return [...new Set([...removed.map((node) => nodeId(trustDomain, node.name)), ...services])];
}
