/** The machines of the mesh, as the registry keeps them. */
import { registryKeys } from "../../api/messages.ts";
import { Refusal } from "../../api/problem.ts";
import { serviceKey, type Node, type ServiceName } from "../../model/service.ts";
import type { StateStore, StoredEntry } from "../state_store.ts";

export class Nodes {
  constructor(readonly store: StateStore) {}

  async list(): Promise<Node[]> {
    return (await this.store.range(registryKeys.nodes)).entries.map(
      (entry) => JSON.parse(entry.value) as Node,
    );
  }

  async find(name: string): Promise<{ readonly node: Node; readonly entry: StoredEntry } | null> {
    const entry = await this.store.get(registryKeys.nodes + name);
    return entry === null ? null : { node: JSON.parse(entry.value) as Node, entry };
  }

  /** One more service that the machine may be. */
  async allow(name: string, service: ServiceName): Promise<void> {
    await this.#change(name, (node) => ({
      ...node,
      services: node.services.some((each) => serviceKey(each) === serviceKey(service))
        ? node.services
        : [...node.services, service],
    }));
  }

  async remove(name: string): Promise<void> {
    await this.#change(name, (node) => ({ ...node, removed: true }));
  }

  async #change(name: string, change: (node: Node) => Node): Promise<void> {
    for (;;) {
      const found = await this.find(name);
      if (found === null)
        throw new Refusal(404, `There is no machine "${name}"`, "heddle node list shows them");
      const { entry, node } = found;
      const put = { do: "put", key: entry.key, value: JSON.stringify(change(node)) } as const;
      const result = await this.store.commit([{ key: entry.key, modified: entry.modified }], [put]);
      if (result.ok) return;
    }
  }
}
