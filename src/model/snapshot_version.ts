/**
 * The version of a snapshot: SHA-256 over its content in a form that does not depend on the order of keys. Destinations
 * count by their own hashes, so that what many machines share is hashed once.
 */
import { createHash } from "node:crypto";
import type { Destination, Snapshot } from "./snapshot.ts";

export class SnapshotHasher {
  readonly #known = new WeakMap<Destination, string>();
  /** Of parts that many machines share. */
  readonly #texts = new WeakMap<object, string>();

  version(content: Omit<Snapshot, "version">): string {
    const hashes = content.destinations.map((each) => `"${this.destination(each)}"`);
    let text = "";
    for (const field of Object.keys(content).sort()) {
      const value = content[field as keyof typeof content];
      if (value === undefined) continue;
      const written = field === "destinations" ? `[${hashes.join(",")}]` : this.#text(value);
      text += `${text === "" ? "" : ","}"${field}":${written}`;
    }
    return createHash("sha256").update(`{${text}}`).digest("hex");
  }

  /** Of one destination. */
  destination(destination: Destination): string {
    const known = this.#known.get(destination) ?? hashOf(destination);
    this.#known.set(destination, known);
    return known;
  }

  #text(value: unknown): string {
    if (typeof value !== "object" || value === null) return JSON.stringify(value);
    const text = this.#texts.get(value) ?? JSON.stringify(value, withSortedKeys);
    this.#texts.set(value, text);
    return text;
  }
}

/** Whether a snapshot is what its version says, and so whole and unchanged. */
export function isWhole(snapshot: Snapshot, hasher = new SnapshotHasher()): boolean {
  const { version, ...content } = snapshot;
  return hasher.version(content) === version;
}

function hashOf(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value, withSortedKeys)).digest("hex");
}

function withSortedKeys(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries);
}
