/**
 * Whether what a machine's identity rests on is its own: a state folder that somebody else may write to, or a secret that
 * somebody else owns or reads, is refused before anything in it is believed.
 */
import type { FileError, Files, ProcessHost } from "../../runtime/contract.ts";
import { UserError } from "../base/user_error.ts";
import { userId } from "../systemd/user_id.ts";
import { serviceUser } from "../systemd/units.ts";
import type { StateFolder } from "./state_folder.ts";

export interface StateHost {
  readonly files: Files;
  readonly process: Pick<ProcessHost, "user">;
}

type Stat = NonNullable<Awaited<ReturnType<Files["stat"]>>>;

const writtenByOthers = 0o022;
const usedByOthers = 0o077;
const root = 0;

/** Throws for the first thing in it that is not as it must be. What is not there yet is fine. */
export async function requireOwnState(host: StateHost, folder: StateFolder): Promise<void> {
  const { files } = host;
  const owners = await ownersOf(host);
  const { path, authority, control, registry, credentials, policies } = folder;
  for (const each of [path, authority, control, registry, credentials, policies]) {
    const stat = await files.stat(each);
    if (stat === null) continue;
    requireOwner(owners, each, stat, `chown -R ${host.process.user} ${path}`);
    if ((stat.mode & writtenByOthers) !== 0)
      throw new UserError(
        `Cannot use ${each}: others than its owner may write to it (mode ${octal(stat)})`,
        `Look whether all in it is yours, then: chmod 700 ${each}`,
      );
  }
  for (const each of await secretsIn(files, folder)) await requireOwnFile(host, owners, each);
  // These hold no key, but decide who is called and what is believed; the database makes itself private.
  for (const each of [folder.machine, folder.registryStore]) {
    const stat = await unlessClosed(files.stat(each), null);
    if (stat === null) continue;
    requireOwner(owners, each, stat, `chown ${host.process.user} ${each}`);
    if ((stat.mode & writtenByOthers) !== 0)
      throw new UserError(
        `Cannot use ${each}: others than its owner may write to it (mode ${octal(stat)})`,
        `Look whether it is as you left it, then: chmod go-w ${each}`,
      );
  }
}

/** One file with a key, wherever it lies. */
export async function requireOwnSecret(host: StateHost, path: string): Promise<void> {
  await requireOwnFile(host, await ownersOf(host), path);
}

async function requireOwnFile(host: StateHost, owners: Owners, path: string): Promise<void> {
  const stat = await host.files.stat(path);
  if (stat === null) return;
  requireOwner(owners, path, stat, `chown ${host.process.user} ${path}`);
  if ((stat.mode & usedByOthers) === 0) return;
  throw new UserError(
    `Cannot use ${path}: others than its owner may read or write it (mode ${octal(stat)}), and it holds a secret`,
    `chmod 600 ${path}; if somebody may have read it, make a new one`,
  );
}

async function secretsIn(files: Files, folder: StateFolder): Promise<string[]> {
  const { settings, authority, control, credentials, registryCredential } = folder;
  const below = [authority, control, credentials].map(async (path) => {
    const names = await (path === credentials ? files.list(path) : unlessClosed(files.list(path), []));
    return names.map((name) => `${path}/${name}`);
  });
  const registry = await unlessClosed(files.stat(registryCredential), null);
  return [settings, ...(registry === null ? [] : [registryCredential]), ...(await Promise.all(below)).flat()];
}

/** What is closed to the unit of this process (authority, control plane) is nothing that it believes. */
async function unlessClosed<T, N>(work: Promise<T>, none: N): Promise<T | N> {
  try {
    return await work;
  } catch (error) {
    if ((error as FileError).code === "EACCES") return none;
    throw error;
  }
}

/** Who may own what this process believes. */
interface Owners {
  readonly own: number;
  readonly all: ReadonlySet<number>;
}

/** Root, too: it can do everything anyway. And for root the user that it made for heddle's services. */
async function ownersOf({ files, process }: StateHost): Promise<Owners> {
  const services = process.user === root ? await userId(files, serviceUser) : null;
  return { own: process.user, all: new Set([process.user, root, ...(services === null ? [] : [services])]) };
}

function requireOwner({ own, all }: Owners, path: string, { owner }: Stat, cure: string): void {
  if (all.has(owner)) return;
  throw new UserError(
    `Cannot use ${path}: it belongs to user ${owner}, and this runs as user ${own}`,
    `Run it as that user; or, if you know that all in it is right: ${cure}`,
  );
}

function octal({ mode }: Stat): string {
  return (mode & 0o777).toString(8);
}
