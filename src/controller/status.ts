/** What `heddle status` shows: machines with their snapshots and certificates, instances, services, the way to the registry. */
import type { StatusAnswer } from "../api/messages.ts";
import type { Catalog } from "./catalog.ts";
import type { Publisher } from "./publisher.ts";

export interface StatusInput {
  readonly trustDomain: string;
  readonly nowMs: number;
  readonly catalog: Catalog;
  readonly publisher: Publisher;
  /** null: the registry answers. */
  readonly registryProblem: string | null;
}

export function statusOf(input: StatusInput): StatusAnswer {
  const { catalog, publisher } = input;
  const nodes = [...catalog.nodes.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  const problem = input.registryProblem ?? catalog.problem;
  return {
    trustDomain: input.trustDomain,
    controllerMs: input.nowMs,
    revision: catalog.revision,
    nodes: nodes.map(({ name, services, joinedMs, removed }) => {
      const { uses, ...state } = publisher.state(name);
      return { name, services, joinedMs, removed, ...state };
    }),
    instances: [...catalog.instances].sort((a, b) => (a.id < b.id ? -1 : 1)),
    services: (catalog.documents ?? [])
      .filter((each) => each.kind === "Service")
      .map(({ name, namespace }) => ({ name, namespace })),
    registry: { ok: problem === null, detail: problem ?? "connected" },
  };
}
