/** The version of a snapshot: SHA-256 over its content in a form that does not depend on the order of keys. */
import { createHash } from "node:crypto";
import type { Snapshot } from "./snapshot.ts";

export function snapshotVersion(content: Omit<Snapshot, "version">): string {
  return createHash("sha256").update(JSON.stringify(content, withSortedKeys)).digest("hex");
}

/** Whether a snapshot is what its version says, and so whole and unchanged. */
export function isWhole(snapshot: Snapshot): boolean {
  const { version, ...content } = snapshot;
  return snapshotVersion(content) === version;
}

function withSortedKeys(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries);
}
