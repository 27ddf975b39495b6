/** What the registry holds, decoded and kept current: the controller's view of the mesh. It outlives the registry's absence. */
import { registryKeys } from "../api/messages.ts";
import type { KnownEntry } from "../api/registry_client.ts";
import { loadDocuments } from "../config/load.ts";
import type { Document } from "../model/document.ts";
import type { Instance, Node } from "../model/service.ts";

/** A bundle with what the controller must know of it. */
export interface StoredPolicy {
  readonly name: string;
  readonly version: string;
  readonly hash: string;
  readonly text: string;
  readonly onError: "open" | "closed";
  readonly cpuMs: number;
  readonly waitMs: number;
}

/** A document as it was applied. */
export interface StoredDocument {
  readonly file: string;
  readonly text: string;
}

export class Catalog {
  documents: readonly Document[] = [];
  instances: readonly Instance[] = [];
  nodes: ReadonlyMap<string, Node> = new Map();
  policies: ReadonlyMap<string, StoredPolicy> = new Map();
  /** Texts by registry key. */
  texts: ReadonlyMap<string, StoredDocument & { readonly modified: number }> = new Map();
  revision = 0;
  #documentsSeen = "";

  /** Takes the whole state over. */
  update(entries: ReadonlyMap<string, KnownEntry>, revision: number): void {
    const instances: Instance[] = [];
    const nodes = new Map<string, Node>();
    const policies = new Map<string, StoredPolicy>();
    const texts = new Map<string, StoredDocument & { modified: number }>();
    for (const { key, value, modified } of entries.values()) {
      if (key.startsWith(registryKeys.instances)) instances.push(JSON.parse(value) as Instance);
      else if (key.startsWith(registryKeys.nodes))
        nodes.set(key.slice(registryKeys.nodes.length), JSON.parse(value) as Node);
      else if (key.startsWith(registryKeys.policies)) {
        const policy = JSON.parse(value) as StoredPolicy;
        policies.set(policy.name, policy);
      } else if (key.startsWith(registryKeys.documents))
        texts.set(key, { ...(JSON.parse(value) as StoredDocument), modified });
    }
    this.instances = instances;
    this.nodes = nodes;
    this.policies = policies;
    this.texts = texts;
    this.revision = revision;
    this.#parseDocuments();
  }

  /** Documents change far more rarely than instances do. */
  #parseDocuments(): void {
    const seen = [...this.texts].map(([key, each]) => `${key}@${each.modified}`).join();
    if (seen === this.#documentsSeen) return;
    this.#documentsSeen = seen;
    const loaded = loadDocuments([...this.texts.values()], { policies: null });
    this.documents = loaded.documents.map((each) => each.document);
  }
}
