/** The store that settings name: a file of the state folder, or etcd. */
import type { Runtime } from "../../runtime/contract.ts";
import { UserError } from "../base/user_error.ts";
import { limits } from "../model/limits.ts";
import { isEtcdAddress, parseEtcdAddress, type EtcdFiles } from "../registry/etcd/etcd_address.ts";
import { SqliteStore } from "../registry/sqlite_store.ts";
import type { Store } from "../registry/store.ts";
import type { Settings } from "./settings.ts";
import type { StateFolder } from "./state_folder.ts";

type StoreHost = Pick<Runtime, "net" | "clock" | "random" | "files" | "databases">;

export interface StoreListener {
  /** It is away (why), or back (null). */
  readonly changed?: (problem: string | null) => void;
  /** Why it was not reached, at each attempt. Absent: it is tried for `etcdGiveUpMs`. */
  readonly waiting?: (problem: string) => void;
}

/** Waits for etcd for as long as it takes, when `waiting` hears of it; else throws a `UserError`. */
export function openStore(
  host: StoreHost,
  folder: StateFolder,
  { store }: Pick<Settings, "store">,
  listener: StoreListener,
): Promise<Store> {
  return openStoreAt(host, store ?? folder.registryStore, listener);
}

/** For what is done once, and fails rather than waits. */
export function openStoreOnce(
  host: StoreHost,
  folder: StateFolder,
  settings: Pick<Settings, "store">,
): Promise<Store> {
  return openStore(host, folder, settings, {});
}

/** `place`: `etcd://…`, or the path of a file. */
export async function openStoreAt(
  host: StoreHost,
  place: string,
  listener: StoreListener = {},
): Promise<Store> {
  const { net, clock, random, files, databases } = host;
  if (!isEtcdAddress(place)) return new SqliteStore(databases, place, clock);
  const { members, prefix, tls } = parseEtcdAddress(place);
  const { openEtcdStore } = await import("../registry/etcd/etcd_store.ts");
  const secure = tls === null ? null : await readTls(files, place, tls);
  const { changed, waiting } = listener;
  let said = "";
  // Members that have just started elect a leader first.
  const untilMs = clock.now() + limits.etcdGiveUpMs;
  const heard = (problem: string): void => {
    if (problem !== said) waiting?.(problem);
    said = problem;
  };
  const options = { net, clock, random, members, prefix, tls: secure };
  const store = await openEtcdStore(
    changed === undefined ? options : { ...options, changed },
    heard,
    () => waiting === undefined && said !== "" && clock.now() > untilMs,
  );
  if (store !== null) return store;
  throw new UserError(`Cannot use the store ${place}: ${said}`);
}

async function readTls(files: Runtime["files"], place: string, { ca, own }: EtcdFiles) {
  const read = async (path: string): Promise<string> => {
    const bytes = await files.read(path);
    if (bytes !== null) return new TextDecoder().decode(bytes);
    throw new UserError(`Cannot use the store ${place}: there is no file ${path}`);
  };
  const credential = own === null ? null : { chainPem: await read(own.cert), keyPem: await read(own.key) };
  return { rootsPem: [await read(ca)], credential };
}
