/** What the controller keeps in the registry: documents, machines, tokens, policies. Changed by compare-and-swap alone. */
import type { CommitAnswer, CommitRequest, KnownEntry } from "../api/messages.ts";

export interface StateStore {
  get(key: string): Promise<KnownEntry | null>;
  range(prefix: string): Promise<{ readonly entries: readonly KnownEntry[]; readonly revision: number }>;
  commit(
    conditions: CommitRequest["conditions"],
    operations: CommitRequest["operations"],
  ): Promise<CommitAnswer>;
}
