/**
 * Moves what a registry keeps into another store: documents, machines, tokens, everything but what lives on leases, which
 * registers itself again. The other store takes all of it at once, and only while it is empty.
 */
import type { Runtime } from "../../runtime/contract.ts";
import { UserError } from "../base/user_error.ts";
import { limits } from "../model/limits.ts";
import { isEtcdAddress } from "../registry/etcd/etcd_address.ts";
import { SqliteFile } from "../registry/sqlite_file.ts";
import type { Entry, Store } from "../registry/store.ts";
import { openStoreAt } from "./registry_store.ts";

type CopyHost = Pick<Runtime, "net" | "clock" | "random" | "files" | "databases">;

/** How many keys of each kind were copied: `documents`, `nodes` …; in order. */
export type Copied = ReadonlyMap<string, number>;

/** Places are paths of files or `etcd://…`. */
export async function copyStore(host: CopyHost, from: string, to: string): Promise<Copied> {
  const entries = await entriesOf(host, from);
  if (entries.length === 0)
    throw new UserError(
      `Cannot copy ${from}: it is empty`,
      "The file of a registry is STATE/registry/registry.db",
    );
  const store = await openStoreAt(host, to);
  try {
    await fillEmpty(store, entries, to);
  } finally {
    store.close();
  }
  const counts = new Map<string, number>();
  for (const { key } of entries) {
    const kind = key.slice(0, key.indexOf("/"));
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}

/** Throws a `UserError` when there is something already. */
export async function fillEmpty(store: Store, entries: readonly Entry[], place: string): Promise<void> {
  const [standing] = store.range("").entries;
  if (standing !== undefined)
    throw new UserError(
      `Cannot copy to ${place}: it is not empty, it has ${standing.key}`,
      "Choose another prefix, or another file",
    );
  if (entries.length > limits.copiedEntriesMax)
    throw new UserError(
      `Cannot copy ${entries.length} keys: at most ${limits.copiedEntriesMax} are copied at once (copiedEntriesMax)`,
    );
  const operations = entries.map(({ key, value }) => ({ do: "put", key, value }) as const);
  const conditions = operations.slice(0, 1).map(({ key }) => ({ key, modified: 0 }));
  const { ok } = await store.commit(conditions, operations);
  if (!ok) throw new UserError(`Cannot copy to ${place}: somebody else writes to it at the same moment`);
}

/** All that lives on no lease. A registry may use the file meanwhile: nothing is written to it. */
export async function entriesOf(host: CopyHost, place: string): Promise<readonly Entry[]> {
  if (isEtcdAddress(place)) {
    const store = await openStoreAt(host, place);
    try {
      return lasting(store.range("").entries);
    } finally {
      store.close();
    }
  }
  if ((await host.files.stat(place)) === null)
    throw new UserError(`Cannot copy ${place}: there is no such file`);
  const file = new SqliteFile(host.databases, place);
  try {
    return lasting(file.load(host.clock.now()).entries);
  } finally {
    file.close();
  }
}

function lasting(entries: readonly Entry[]): readonly Entry[] {
  return entries.filter(({ lease }) => lease === null);
}
