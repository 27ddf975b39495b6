/** What `heddle status` shows: instances, machines with their snapshots and certificates, services, the way to the registry. */
import { asService } from "../model/document.ts";
import type { NodeStatus, StatusPage } from "../api/messages.ts";
import { Page, type PageQuery } from "../api/pages.ts";
import { drainKey, serviceKey, type Instance, type Node } from "../model/service.ts";
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

export function statusPage(input: StatusInput, query: PageQuery): StatusPage {
  const { catalog, trustDomain, nowMs } = input;
  const problem = input.registryProblem ?? catalog.problem;
  const page = new Page(query);
  const services = (catalog.documents ?? []).flatMap((each) => asService(each) ?? []);
  // The keys of the three begin so that they follow one another.
  const shown = {
    instances: page.add(sortedById(catalog.instances), ({ id }) => `instances/${id}`, same),
    nodes: page.add(sortedBy(membersOf(catalog), nameOf), nodeKey, (node) => statusOf(node, input)),
    services: page.add(
      sortedBy(services, serviceKey),
      (service) => `services/${serviceKey(service)}`,
      ({ name, namespace }) => ({ name, namespace }),
    ),
  };
  return {
    trustDomain,
    controllerMs: nowMs,
    revision: catalog.revision,
    ...shown,
    registry: { ok: problem === null, detail: problem ?? "connected" },
    next: page.next,
  };
}

function statusOf({ name, services, joinedMs, removed }: Node, input: StatusInput): NodeStatus {
  const { catalog, publisher } = input;
  const { connected, lastSeenMs, wanted, acknowledged, error, certificates, about } = publisher.view(name);
  const drained = catalog.drains.get(drainKey({ node: name, service: null }));
  return {
    name,
    services,
    joinedMs,
    removed,
    connected,
    lastSeenMs,
    wanted,
    acknowledged,
    error,
    certificates,
    ejected: publisher.ejectedBy(name),
    ...(drained === undefined ? {} : { drained }),
    ...(about === null ? {} : { about }),
  };
}

/** Pages follow one another while the instances stay the same list. */
const sortedLists = new WeakMap<readonly Instance[], readonly Instance[]>();

function sortedById(instances: readonly Instance[]): readonly Instance[] {
  const sorted = sortedLists.get(instances) ?? sortedBy(instances, ({ id }) => id);
  sortedLists.set(instances, sorted);
  return sorted;
}

function sortedBy<Item>(items: readonly Item[], keyOf: (item: Item) => string): readonly Item[] {
  return items.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

function membersOf({ nodes }: Catalog): readonly Node[] {
  return [...nodes.values()].filter((node) => !node.removed);
}

function nameOf(node: Node): string {
  return node.name;
}

function nodeKey(node: Node): string {
  return `nodes/${node.name}`;
}

function same<Item>(item: Item): Item {
  return item;
}
