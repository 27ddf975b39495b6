/** The first machine of a mesh: an authority, settings, and the credentials of everything that runs here. */
import type { Runtime } from "../../runtime/contract.ts";
import type { Address } from "../base/socket_address.ts";
import { UserError } from "../base/user_error.ts";
import { firstContents, type FirstMachine } from "../controller/first_contents.ts";
import { registryKeys } from "../api/messages.ts";
import { parseEtcdAddress } from "../registry/etcd/etcd_address.ts";
import type { Store } from "../registry/store.ts";
import { Authority, createAuthority } from "../identity/authority.ts";
import { isTrustDomain } from "../identity/spiffe_id.ts";
import type { MachineDocument } from "../model/document.ts";
import { limits } from "../model/limits.ts";
import { issueModeCredentials, readAuthority, writeAuthority } from "./authority_file.ts";
import { enrollSelf } from "./enroll_self.ts";
import { readMachine } from "./machine_document.ts";
import { keepReady } from "./machine_file.ts";
import { nameOfMachine } from "./machine_name.ts";
import { requireFreePorts, requireUsablePorts } from "./machine_ports.ts";
import { openStoreOnce } from "./registry_store.ts";
import { readSettings, writeSettings, type Settings } from "./settings.ts";
import type { StateFolder } from "./state_folder.ts";

export interface InitOptions {
  readonly trustDomain: string;
  /** As a flag names this machine; null: as its document does, else its host name. */
  readonly node: string | null;
  readonly address?: string;
  readonly loopback: string;
  readonly controllerPort: number;
  readonly registryPort: number;
  /** Where the control plane is reached besides `address`. */
  readonly controllerAddress?: readonly Address[];
  readonly registryAddress?: readonly Address[];
  readonly inboundPort: number;
  readonly outboundPort: number;
  readonly dnsPort: number;
  readonly adminPort: number;
  readonly leafTtl?: number;
  /** `etcd://…`; absent: a file of the state folder. */
  readonly store?: string;
  /** The modes start right after this: a port that is taken is told before anything is written. */
  readonly start?: boolean;
  readonly openListeners?: boolean;
  /** Event loops that carry the proxy's traffic; absent: one. */
  readonly shards?: number | "auto";
  readonly machine: { readonly file: string; readonly text: string };
}

export interface Initialized {
  readonly settings: Settings;
  /** An earlier attempt had ended half way. */
  readonly finished: boolean;
}

export async function initializeMesh(
  runtime: Runtime,
  folder: StateFolder,
  options: InitOptions,
): Promise<Initialized> {
  const { files, clock } = runtime;
  await requireNoMesh(runtime, folder);
  const machine = readMachine(options.machine);
  const node = nameOfMachine(options.node, machine, runtime.process.hostname);
  const settings = settingsOf(runtime, options, node, machine);
  requireTrustDomain(options.trustDomain);
  if (options.store !== undefined) parseEtcdAddress(options.store);
  requireUsablePorts(settings, machine);
  const begun = await readAuthority(files, clock, folder);
  requireSameMesh(begun, folder, options);
  if (options.start === true) requireFreePorts(runtime.net, settings, machine);
  const authority = begun ?? (await newAuthority(runtime, folder, options.trustDomain));
  await files.makeFolder(folder.path, 0o700);
  await files.writeAtomic(folder.machine, options.machine.text, 0o644);
  await keepReady(runtime, folder, options.machine.text, machine);
  await issueModeCredentials(files, folder, authority, settings, clock.wallMs());
  const enrolled = await enrollSelf(runtime, folder, authority, settings, machine);
  await fillRegistry(runtime, folder, settings, enrolled);
  // Last: until they are written the folder holds no mesh, and a broken attempt is finished by repeating it.
  await writeSettings(files, folder, settings);
  return { settings, finished: begun !== null };
}

/** Settings are written last: with them the folder holds a whole membership. */
async function requireNoMesh(runtime: Runtime, folder: StateFolder): Promise<void> {
  const standing = await readSettings(runtime, folder);
  if (standing === null) return;
  const mesh = `${standing.node} of ${standing.trustDomain}`;
  if (!standing.modes.includes("controller"))
    throw new UserError(
      `Cannot initialize: ${folder.path} holds a machine that joined a mesh already, ${mesh}`,
      "Start it with heddle proxy; or choose another folder with --state DIR",
    );
  throw new UserError(
    `Cannot initialize: ${folder.path} holds a mesh already, ${mesh}, and its authority is never overwritten`,
    "Start it with heddle registry, heddle controller and heddle proxy, and let others join with heddle token create; or choose another folder with --state DIR",
  );
}

/** An authority without settings: an attempt that ended half way. */
function requireSameMesh(begun: Authority | null, folder: StateFolder, { trustDomain }: InitOptions): void {
  if (begun === null || begun.trustDomain === trustDomain) return;
  throw new UserError(
    `Cannot initialize ${trustDomain}: an earlier heddle init in ${folder.path} began the mesh ${begun.trustDomain} and did not finish`,
    `Finish it with --trust-domain ${begun.trustDomain}; or remove ${folder.path} with what is in it, or choose another folder with --state DIR`,
  );
}

/** On disk before it has signed anything that is kept. */
async function newAuthority(runtime: Runtime, folder: StateFolder, trustDomain: string): Promise<Authority> {
  const { files, clock } = runtime;
  const state = await createAuthority(trustDomain, clock.wallMs());
  await files.makeFolder(folder.path, 0o700);
  await writeAuthority(files, folder, state);
  return new Authority(
    state,
    (next) => writeAuthority(files, folder, next),
    () => clock.wallMs(),
  );
}

function requireTrustDomain(name: string): void {
  if (isTrustDomain(name)) return;
  throw new UserError(
    `Cannot use the trust domain "${name}": expected lower-case letters, digits, '.', '-' and '_'`,
  );
}

function settingsOf(
  runtime: Runtime,
  options: InitOptions,
  node: string,
  machine: MachineDocument,
): Settings {
  const address = options.address ?? machine.address ?? runtime.process.addresses()[0] ?? options.loopback;
  return {
    format: 1,
    trustDomain: options.trustDomain,
    node,
    address,
    loopback: options.loopback,
    ports: {
      inbound: options.inboundPort,
      outboundFirst: options.outboundPort,
      dns: options.dnsPort,
      admin: options.adminPort,
    },
    controllers: [{ host: address, port: options.controllerPort }, ...(options.controllerAddress ?? [])],
    registries: [{ host: address, port: options.registryPort }, ...(options.registryAddress ?? [])],
    modes: ["registry", "controller", "proxy"],
    leafMs: options.leafTtl ?? limits.leafMs,
    ...(options.store === undefined ? {} : { store: options.store }),
    ...(options.openListeners === true ? { openListeners: true } : {}),
    ...(options.shards === undefined ? {} : { shards: options.shards }),
  };
}

/** The registry does not run yet: its store is filled in place. */
async function fillRegistry(
  runtime: Runtime,
  folder: StateFolder,
  settings: Settings,
  machine: FirstMachine,
): Promise<void> {
  const store = await openStoreOnce(runtime, folder, settings);
  try {
    requireEmpty(store, settings);
    await store.commit([], firstContents(machine, runtime.clock.wallMs()));
  } finally {
    store.close();
  }
}

/** What is in common with others may hold their mesh. */
function requireEmpty(store: Store, { store: place = "", node }: Settings): void {
  const other = store.range(registryKeys.nodes).entries.find(({ key }) => key !== registryKeys.nodes + node);
  if (other === undefined) return;
  throw new UserError(
    `Cannot initialize: ${place} holds a mesh already, with the machine ${other.key.slice(registryKeys.nodes.length)}`,
    "Choose another prefix for this one: etcd://HOST:PORT/PREFIX",
  );
}
