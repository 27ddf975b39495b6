/**
 * The control plane of a mesh as one file: authority, registry, settings. It may run meanwhile: SQLite copies what was committed at one
 * moment, and the authority is read before and after.
 */
import type { Runtime } from "../../runtime/contract.ts";
import { sameBytes } from "../base/bytes.ts";
import { version } from "../base/build.ts";
import { UserError } from "../base/user_error.ts";
import { limits } from "../model/limits.ts";
import { authorityFile } from "./authority_file.ts";
import { copyStore } from "./copy_store.ts";
import { packBackup, type Backup } from "./backup_archive.ts";
import { readSettings, writeSettings, type Settings } from "./settings.ts";
import type { StateFolder } from "./state_folder.ts";

/** Of this machine, as an archive that is not encrypted. */
export async function makeBackup(
  runtime: Runtime,
  folder: StateFolder,
): Promise<{ readonly archive: Uint8Array; readonly settings: Settings }> {
  const { files, clock } = runtime;
  const settings = await requireControlPlane(runtime, folder);
  const { trustDomain, node } = settings;
  for (let trial = 0; trial < limits.backupTrials; trial++) {
    const authority = await required(runtime, authorityFile(folder));
    const parts: Backup["parts"] = {
      settings: await required(runtime, folder.settings),
      machine: await required(runtime, folder.machine),
      authority,
      store: await copyOfStore(runtime, folder, settings),
    };
    const after = (await files.read(authorityFile(folder))) ?? new Uint8Array(0);
    // Root and registry belong together: what was signed is listed there.
    if (after.length !== authority.length || !sameBytes(after, authority, 0, authority.length)) continue;
    const known = { trustDomain, node, createdMs: clock.wallMs(), version: version() };
    return { archive: await packBackup({ ...known, parts }), settings };
  }
  throw new UserError("Cannot make a backup: the authority changes all the while", "Try again in a moment");
}

/** Its control plane goes on elsewhere: this machine is a member like any other, which finds it where it was announced. */
export async function retired({ files }: Runtime, folder: StateFolder, settings: Settings): Promise<void> {
  const elsewhere = (known: Settings["controllers"]): Settings["controllers"] => {
    const [own, next, ...others] = known;
    return next === undefined ? [own] : [next, ...others];
  };
  const { controllers, registries } = settings;
  await writeSettings(files, folder, {
    ...settings,
    controllers: elsewhere(controllers),
    registries: elsewhere(registries),
    modes: ["proxy"],
  });
}

/** Settings of a machine that has one. */
export async function requireControlPlane(runtime: Runtime, folder: StateFolder): Promise<Settings> {
  const settings = await readSettings(runtime, folder);
  if (settings?.modes.includes("controller") === true) return settings;
  throw new UserError(
    `Cannot make a backup: there is no control plane in ${folder.path}`,
    settings === null
      ? "Run it as root on the machine where heddle init was run; another folder: --state DIR"
      : `This machine, ${settings.node}, is a member; the controller is at ${settings.controllers[0].host}: run it there`,
  );
}

async function required({ files }: Runtime, path: string): Promise<Uint8Array> {
  const bytes = await files.read(path);
  if (bytes !== null) return bytes;
  throw new UserError(`Cannot make a backup: ${path} is missing`, "Restore it from an earlier backup");
}

/** As it was committed at one moment. */
async function copyOfStore(runtime: Runtime, folder: StateFolder, { store }: Settings): Promise<Uint8Array> {
  if (store !== undefined) return copyOfEtcd(runtime, folder, store);
  const { files, databases } = runtime;
  const { size = 0 } = (await files.stat(folder.registryStore)) ?? {};
  if (size === 0) await required(runtime, folder.registryStore);
  if (size > limits.backupBytesMax)
    throw new UserError(
      `Cannot make a backup: ${folder.registryStore} has ${size} bytes (at most ${limits.backupBytesMax})`,
    );
  const beside = `${folder.registry}/backup.db`;
  await files.remove(beside);
  try {
    const database = databases.open(folder.registryStore);
    try {
      database.execute(`VACUUM INTO '${beside.replaceAll("'", "''")}'`);
    } finally {
      database.close();
    }
    return await required(runtime, beside);
  } finally {
    await files.remove(beside);
  }
}

/** As it stood at one revision, in the file that a registry without etcd has. */
async function copyOfEtcd(runtime: Runtime, folder: StateFolder, store: string): Promise<Uint8Array> {
  const { files } = runtime;
  const beside = `${folder.registry}/backup.db`;
  const remove = async (): Promise<void> => {
    for (const end of ["", "-wal", "-shm"]) await files.remove(`${beside}${end}`);
  };
  await remove();
  try {
    await files.makeFolder(folder.registry, 0o700);
    await copyStore(runtime, store, beside);
    return await required(runtime, beside);
  } finally {
    await remove();
  }
}
