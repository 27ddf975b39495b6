/** What the controller keeps in the registry: documents, machines, tokens, policies. Changed by compare-and-swap alone. */
import type { CommitAnswer, CommitRequest } from "../api/messages.ts";

export interface StoredEntry {
  readonly key: string;
  readonly value: string;
  /** Revision of its last change. */
  readonly modified: number;
}

export interface StateStore {
  get(key: string): Promise<StoredEntry | null>;
  range(prefix: string): Promise<{ readonly entries: readonly StoredEntry[]; readonly revision: number }>;
  commit(
    conditions: CommitRequest["conditions"],
    operations: CommitRequest["operations"],
  ): Promise<CommitAnswer>;
}
