/**
 * A control plane from a backup, on this machine: one that is none yet, or that is a member of the mesh. The identities of all others stay
 * as they are; what was made after the backup is not known any more. Repeated, it goes on where it was interrupted.
 */
import type { Runtime } from "../../runtime/contract.ts";
import { isSameAddress, type Address } from "../base/socket_address.ts";
import { problemOf } from "../base/result.ts";
import { UserError } from "../base/user_error.ts";
import { restoredContents, type FirstMachine } from "../controller/first_contents.ts";
import { Authority } from "../identity/authority.ts";
import type { AuthorityState } from "../identity/authority_state.ts";
import { CredentialStore } from "../identity/credential_store.ts";
import { ownServices, type MachineDocument } from "../model/document.ts";
import { serviceKey } from "../model/service.ts";
import { registryKeys } from "../api/messages.ts";
import { SqliteStore } from "../registry/sqlite_store.ts";
import { issueModeCredentials, readAuthority, writeAuthority } from "./authority_file.ts";
import { backupParts, type Backup } from "./backup_archive.ts";
import { requireNoControlPlane } from "./control_ports.ts";
import { entriesOf, fillEmpty } from "./copy_store.ts";
import { enrollSelf } from "./enroll_self.ts";
import { readMachine } from "./machine_document.ts";
import { keepReady } from "./machine_file.ts";
import { requireUsablePorts } from "./machine_ports.ts";
import { nodeKey } from "./node_key.ts";
import { openStoreAt } from "./registry_store.ts";
import { readSettings, settingsIn, writeSettings, type Settings } from "./settings.ts";
import type { StateFolder } from "./state_folder.ts";

export interface RestoreOptions {
  /** Where it was read from, for people. */
  readonly file: string;
  readonly backup: Backup;
  /** null: that of the backup, which this machine takes the place of. */
  readonly node: string | null;
  readonly address: string | null;
  readonly loopback: string | null;
  /** Where the control plane is reached besides this machine's address. */
  readonly controllerAddress: readonly Address[];
  readonly registryAddress: readonly Address[];
  /** Over a control plane that is here. */
  readonly force: boolean;
}

export interface Restored {
  readonly settings: Settings;
  /** It was a member before, and still is that machine. */
  readonly member: boolean;
}

/** What this machine is to be. */
interface Wanted {
  readonly settings: Settings;
  readonly text: string;
  readonly machine: MachineDocument;
}

export async function restoreBackup(
  runtime: Runtime,
  folder: StateFolder,
  options: RestoreOptions,
): Promise<Restored> {
  const { files, clock } = runtime;
  const standing = await readSettings(runtime, folder);
  await requireRoom(runtime, folder, standing, options);
  const state = authorityIn(options);
  const { settings, text, machine } = await wantedOf(runtime, folder, standing, options);
  requireUsablePorts(settings, machine);
  requireNoControlPlane(runtime, settings, "restore");
  await files.makeFolder(folder.path, 0o700);
  await writeAuthority(files, folder, state);
  const authority = new Authority(
    state,
    (next) => writeAuthority(files, folder, next),
    () => clock.wallMs(),
  );
  const member = standing !== null && (await isMember(runtime, folder, machine));
  await files.writeAtomic(folder.machine, text, 0o644);
  await keepReady(runtime, folder, text, machine);
  await issueModeCredentials(files, folder, authority, settings, clock.wallMs());
  const self = member
    ? await memberOf(runtime, folder, settings, machine)
    : await enrollSelf(runtime, folder, authority, settings, machine);
  await fillStore(runtime, folder, options, self, settings);
  // Last, as in a new mesh: until they are written a broken attempt is finished by repeating it.
  await writeSettings(files, folder, settings);
  return { settings, member };
}

/** What stands here is not lost by mistake. */
async function requireRoom(
  { files, clock }: Runtime,
  folder: StateFolder,
  standing: Settings | null,
  { file, backup, force }: RestoreOptions,
): Promise<void> {
  const begun = await readAuthority(files, clock, folder);
  const other = [standing?.trustDomain, begun?.trustDomain].find(
    (each) => each !== undefined && each !== backup.trustDomain,
  );
  if (other !== undefined)
    throw new UserError(
      `Cannot restore ${file}: it is of ${backup.trustDomain}, and ${folder.path} belongs to ${other}`,
      "Choose another folder with --state DIR, or remove that one",
    );
  if (force || standing?.modes.includes("controller") !== true) return;
  throw new UserError(
    `Cannot restore ${file}: ${folder.path} holds the control plane of ${standing.trustDomain} already`,
    "With --force it is replaced: all that was applied, joined or revoked since the backup is lost",
  );
}

function authorityIn({ file, backup }: RestoreOptions): AuthorityState {
  try {
    const state = JSON.parse(new TextDecoder().decode(backup.parts.authority)) as AuthorityState;
    if (state.trustDomain === backup.trustDomain) return state;
  } catch (error) {
    throw new UserError(`Cannot restore ${file}: ${backupParts.authority}: ${problemOf(error)}`);
  }
  throw new UserError(`Cannot restore ${file}: its authority is not of ${backup.trustDomain}`);
}

async function wantedOf(
  runtime: Runtime,
  folder: StateFolder,
  standing: Settings | null,
  options: RestoreOptions,
): Promise<Wanted> {
  const { backup, file } = options;
  const before = settingsIn(backup.parts.settings, `${file}, ${backupParts.settings}`);
  const node = options.node ?? standing?.node ?? backup.node;
  const { address: first = before.loopback } = { address: runtime.process.addresses()[0] };
  const address = options.address ?? standing?.address ?? first;
  const same = node === backup.node;
  const kept = await runtime.files.read(folder.machine);
  const source = standing !== null && kept !== null ? kept : same ? backup.parts.machine : null;
  const text = source === null ? "kind: Machine\n" : new TextDecoder().decode(source);
  const settings: Settings = {
    ...before,
    ...(standing ?? {}),
    node,
    address,
    loopback: options.loopback ?? standing?.loopback ?? before.loopback,
    controllers: placesOf(
      { host: address, port: before.controllers[0].port },
      options.controllerAddress,
      before.controllers,
    ),
    registries: placesOf(
      { host: address, port: before.registries[0].port },
      options.registryAddress,
      before.registries,
    ),
    modes: ["registry", "controller", "proxy"],
    leafMs: before.leafMs,
  };
  return { settings, text, machine: readMachine({ file: folder.machine, text }) };
}

/** The first one before was the machine that is not it any more; names and balancers beside it may lead here from now on. */
function placesOf(
  own: Address,
  given: readonly Address[],
  [, ...others]: readonly Address[],
): Settings["controllers"] {
  const more = [...given, ...others].filter((each) => !isSameAddress(each, own));
  const single = more.filter((each, at) => more.findIndex((one) => isSameAddress(one, each)) === at);
  return [own, ...single];
}

/** Its certificates are good on: the authority is the same. */
async function isMember({ files }: Runtime, folder: StateFolder, machine: MachineDocument): Promise<boolean> {
  const store = new CredentialStore(files, folder.credentials);
  await store.load(ownServices(machine));
  const all = ownServices(machine).map((each) => store.service(serviceKey(each)));
  return store.node !== null && all.every((each) => each !== null);
}

async function memberOf(
  { files, clock }: Runtime,
  folder: StateFolder,
  { node, address }: Settings,
  machine: MachineDocument,
): Promise<FirstMachine> {
  const { publicKey } = await nodeKey(files, folder);
  const services = ownServices(machine);
  const joinedMs = clock.wallMs();
  return { node: { name: node, services, publicKey, joinedMs, removed: false, address }, issued: [] };
}

/** Beside the one that stands, and put in its place when it is whole. */
async function fillStore(
  runtime: Runtime,
  folder: StateFolder,
  { file, backup }: RestoreOptions,
  self: FirstMachine,
  settings: Settings,
): Promise<void> {
  const { files, clock, databases } = runtime;
  const beside = `${folder.registry}/restored.db`;
  for (const end of ["", "-wal", "-shm"]) await files.remove(`${beside}${end}`);
  await files.makeFolder(folder.registry, 0o700);
  await files.writeAtomic(beside, backup.parts.store, 0o600);
  requireSound(databases, beside, file);
  const store = new SqliteStore(databases, beside, clock);
  const { ok } = await store.commit([], restoredContents(store, self, clock.wallMs()));
  store.close();
  if (!ok) throw new Error(`the restored registry in ${beside} took no change`);
  for (const end of ["-wal", "-shm"]) await files.remove(`${folder.registryStore}${end}`);
  await files.move(beside, folder.registryStore);
  if (settings.store !== undefined) await fillEtcd(runtime, folder, settings.store, self);
}

/** What etcd still has is newer than any backup, and stays; an empty one is filled. */
async function fillEtcd(
  runtime: Runtime,
  folder: StateFolder,
  place: string,
  self: FirstMachine,
): Promise<void> {
  const { files, clock } = runtime;
  const store = await openStoreAt(runtime, place);
  try {
    if (store.range(registryKeys.nodes).entries.length === 0)
      await fillEmpty(store, await entriesOf(runtime, folder.registryStore), place);
    await store.commit([], restoredContents(store, self, clock.wallMs()));
  } finally {
    store.close();
  }
  await files.remove(folder.registryStore);
}

function requireSound(databases: Runtime["databases"], path: string, file: string): void {
  const database = databases.open(path);
  try {
    const [row] = database.prepare<{ integrity_check: string }>("PRAGMA integrity_check").all();
    if (row?.integrity_check === "ok") return;
    throw new UserError(
      `Cannot restore ${file}: its ${backupParts.store} is damaged: ${row?.integrity_check}`,
    );
  } finally {
    database.close();
  }
}
