/**
 * One more machine: the two-step join, then everything it needs on disk. Repeated, it takes over what differs, joins again
 * where the machine was removed or its certificates ended, and changes nothing where nothing differs.
 */
import { addressText, isSameAddress, type Address } from "../base/socket_address.ts";
import type { Runtime } from "../../runtime/contract.ts";
import { controllerPaths, type JoinAnswer } from "../api/messages.ts";
import { joinWithToken, type JoinKeys } from "../api/join.ts";
import { humanDuration } from "../base/duration.ts";
import { problemOf } from "../base/result.ts";
import { UserError } from "../base/user_error.ts";
import { CredentialStore } from "../identity/credential_store.ts";
import { generateKey } from "../identity/keys.ts";
import { ownServices, type MachineDocument } from "../model/document.ts";
import { nodeId, serviceId } from "../model/identity.ts";
import { limits } from "../model/limits.ts";
import { serviceKey } from "../model/service.ts";
import { controllerAsStranger } from "./controller_link.ts";
import { readMachine } from "./machine_document.ts";
import { keepReady } from "./machine_file.ts";
import { nameOfMachine } from "./machine_name.ts";
import { requireFreePorts, requireUsablePorts } from "./machine_ports.ts";
import { readMembership } from "./membership.ts";
import { nodeKey } from "./node_key.ts";
import { readSettings, writeSettings, type Settings } from "./settings.ts";
import type { StateFolder } from "./state_folder.ts";

export interface JoinOptions {
  /** Where the controller may be, as preferred. */
  readonly controllers: Settings["controllers"];
  readonly token: string;
  /** As a flag names this machine; null: as its document does, else its host name. */
  readonly node: string | null;
  readonly address?: string;
  readonly loopback: string;
  readonly inboundPort: number;
  readonly outboundPort: number;
  readonly dnsPort: number;
  readonly adminPort: number;
  readonly openListeners?: boolean;
  /** Event loops that carry the proxy's traffic; absent: as many as there were, else one. */
  readonly shards?: number | "auto";
  /** The proxy starts right after this: a port that is taken is told before the token is spent. */
  readonly starts?: boolean;
  /** Hears that something is changed from then on. A join that is refused changes nothing. */
  readonly changing?: () => Promise<void>;
  /** null: the one that stands on this machine. */
  readonly machine: { readonly file: string; readonly text: string } | null;
}

export interface Joined {
  readonly settings: Settings;
  /** False: it had joined before, and nothing was changed. */
  readonly changed: boolean;
  /** A proxy that runs must start again to go by it. */
  readonly restart: boolean;
  /** What to tell. */
  readonly said: readonly string[];
}

/** What the machine is to be. */
interface Wanted {
  readonly text: string;
  readonly machine: MachineDocument;
}

export async function joinMesh(runtime: Runtime, folder: StateFolder, options: JoinOptions): Promise<Joined> {
  const standing = await readSettings(runtime, folder);
  const wanted = await wantedOf(runtime, folder, options);
  if (standing !== null) return joinAgain(runtime, folder, standing, options, wanted);
  const node = nameOfMachine(options.node, wanted.machine, runtime.process.hostname);
  const made = await joinAnew(runtime, folder, options, { ...wanted, node });
  return { ...made, changed: true, restart: true };
}

async function wantedOf(runtime: Runtime, folder: StateFolder, options: JoinOptions): Promise<Wanted> {
  const source = options.machine ?? (await standingDocument(runtime, folder));
  return { text: source.text, machine: readMachine(source) };
}

async function standingDocument({ files }: Runtime, { machine: file }: StateFolder) {
  const bytes = await files.read(file);
  if (bytes !== null) return { file, text: new TextDecoder().decode(bytes) };
  throw new UserError(
    `Cannot join again: ${file} is missing`,
    "Say what runs on this machine: --machine FILE, or --service NAME --port PORT",
  );
}

async function joinAnew(
  runtime: Runtime,
  folder: StateFolder,
  options: JoinOptions,
  { text, machine, node }: Wanted & { readonly node: string },
  standing: Settings | null = null,
): Promise<{ readonly settings: Settings; readonly said: string[] }> {
  const { files, clock } = runtime;
  const { address = machine.address, controllers, token, inboundPort } = options;
  const unknown = {
    trustDomain: "",
    node,
    address: address ?? "0.0.0.0",
    registries: standing?.registries ?? controllers,
  };
  const before = settingsOf(options, unknown, standing);
  requireUsablePorts(before, machine);
  if (options.starts === true) requireFreePorts(runtime.net, { ...before, modes: ["proxy"] }, machine);
  const services = ownServices(machine);
  const keys: JoinKeys = {
    node: await nodeKey(files, folder),
    services: new Map(services.map((each) => [serviceKey(each), generateKey()])),
  };
  const answer = await joinWithToken(runtime, {
    controllers,
    token,
    node,
    keys,
    services,
    address: address ?? null,
    port: inboundPort,
  });
  await options.changing?.();
  await keepCredentials(runtime, folder, { node, keys, answer });
  await keepDocument(runtime, folder, text, machine);
  const settings = settingsOf(options, { ...answer, node, registries: registriesIn(answer) }, standing);
  await writeSettings(files, folder, settings);
  const { trustDomain } = answer;
  const said = [
    `${node} joined ${trustDomain} as ${services.map(serviceKey).join(", ") || "a machine without services"}; its state is in ${folder.path}`,
  ];
  const skewMs = answer.controllerMs - clock.wallMs();
  if (Math.abs(skewMs) > limits.clockSkewWarnMs)
    said.push(
      `Warning: this clock is ${humanDuration(skewMs)} ${skewMs > 0 ? "behind" : "ahead of"} the controller's; certificates need clocks that agree`,
    );
  // The proxy that will listen there has not been started yet.
  if (!answer.reachable.ok && answer.reachable.cause !== "refused")
    said.push(`Warning: ${answer.reachable.detail}`);
  return { settings, said };
}

function settingsOf(
  options: JoinOptions,
  known: Pick<Settings, "trustDomain" | "node" | "address" | "registries"> & Pick<JoinAnswer, "controllers">,
  standing: Settings | null,
): Settings {
  const { trustDomain, node, address, registries } = known;
  const { controllers, shards = standing?.shards } = options;
  return {
    format: 1,
    trustDomain,
    node,
    address,
    loopback: options.loopback,
    ports: {
      inbound: options.inboundPort,
      outboundFirst: options.outboundPort,
      dns: options.dnsPort,
      admin: options.adminPort,
    },
    controllers: [
      ...controllers,
      ...othersThan(controllers, known.controllers ?? standing?.controllers ?? []),
    ],
    registries,
    modes: standing?.modes ?? ["proxy"],
    leafMs: standing?.leafMs ?? limits.leafMs,
    ...(options.openListeners === true ? { openListeners: true } : {}),
    ...(shards === undefined ? {} : { shards }),
  };
}

async function keepCredentials(
  runtime: Runtime,
  folder: StateFolder,
  { node, keys, answer }: { node: string; keys: JoinKeys; answer: JoinAnswer },
): Promise<void> {
  const store = new CredentialStore(runtime.files, folder.credentials);
  const { trustDomain } = answer;
  const issuedMs = runtime.clock.wallMs();
  await store.setBundle(answer.bundle);
  for (const { service, chainPem, notAfterMs } of answer.services) {
    const key = keys.services.get(serviceKey(service));
    if (key === undefined) continue;
    await store.setService(serviceKey(service), {
      spiffeId: serviceId(trustDomain, service),
      tls: { chainPem, keyPem: key.privatePem },
      issuedMs,
      notAfterMs,
    });
  }
  await store.setNode({
    spiffeId: nodeId(trustDomain, node),
    tls: { chainPem: answer.node.chainPem, keyPem: keys.node.privatePem },
    issuedMs,
    notAfterMs: answer.node.notAfterMs,
  });
}

async function keepDocument(
  runtime: Runtime,
  folder: StateFolder,
  text: string,
  machine: MachineDocument,
): Promise<void> {
  await runtime.files.writeAtomic(folder.machine, text, 0o644);
  await keepReady(runtime, folder, text, machine);
}

/** On a machine that has joined. What cannot be changed is refused by name. */
async function joinAgain(
  runtime: Runtime,
  folder: StateFolder,
  standing: Settings,
  options: JoinOptions,
  wanted: Wanted,
): Promise<Joined> {
  await requireSameMesh(runtime, folder, standing, options);
  requireSameName(standing, folder, options, wanted);
  const before = await readMachineOrNull(runtime, folder);
  const membership = await readMembership(runtime, folder, standing, ownServices(wanted.machine));
  // Where others reach it is the controller's to know too.
  const moves = options.address !== undefined && options.address !== standing.address;
  if (membership !== "member" || moves) {
    const known = { ...options, address: options.address ?? standing.address };
    const made = await joinAnew(runtime, folder, known, { ...wanted, node: standing.node }, standing);
    const same = isSame(made.settings, standing) && isSameMachine(before, wanted.machine);
    return { ...made, changed: true, restart: !same };
  }
  const address = options.address ?? standing.address;
  const settings = settingsOf(options, { ...standing, address }, standing);
  requireUsablePorts(settings, wanted.machine);
  if (isSame(settings, standing) && isSameMachine(before, wanted.machine)) {
    const said = [`${standing.node} has joined ${standing.trustDomain} already; nothing was changed`];
    return { settings, changed: false, restart: false, said };
  }
  if (options.starts === true)
    requireFreePorts(runtime.net, { ...settings, modes: ["proxy"] }, wanted.machine);
  await options.changing?.();
  await keepDocument(runtime, folder, wanted.text, wanted.machine);
  await writeSettings(runtime.files, folder, settings);
  const { controllers, registries } = standing;
  const restart = !(
    isSame({ ...settings, controllers, registries }, standing) && isSameMachine(before, wanted.machine)
  );
  const said = [
    `${standing.node} had joined ${standing.trustDomain} already; what differs was changed, and the token is still good`,
  ];
  // Where the controller is, a proxy that does not reach it looks up by itself.
  return { settings, changed: true, restart, said };
}

/** Those of `some` that are not among `known`. */
function othersThan(known: readonly Address[], some: readonly Address[]): Address[] {
  return some.filter((each) => !known.some((one) => isSameAddress(one, each)));
}

function registriesIn({ registry, registries = [] }: JoinAnswer): Settings["registries"] {
  const [first = registry, ...others] = registries;
  return [first, ...others];
}

/** Addresses that are not known yet may be those of a control plane that moved: it shows a certificate below the roots of this mesh. */
async function requireSameMesh(
  runtime: Runtime,
  folder: StateFolder,
  standing: Settings,
  { controllers }: JoinOptions,
): Promise<void> {
  const known = standing.controllers;
  if (othersThan(known, controllers).length < controllers.length) return;
  const store = new CredentialStore(runtime.files, folder.credentials);
  await store.load([]);
  const control = controllerAsStranger(runtime, { trustDomain: standing.trustDomain, controllers }, store);
  try {
    await control.call("GET", controllerPaths.health);
  } catch (error) {
    throw new UserError(
      `Cannot join ${controllers.map(addressText).join(",")}: ${folder.path} belongs to ${standing.trustDomain} at ${known.map(addressText).join(",")}, and whoever is there does not show that it is of that mesh: ${problemOf(error)}`,
      "Where its control plane moved, look whether that runs there; for another mesh choose another folder with --state DIR, or remove that one",
    );
  } finally {
    control.close();
  }
}

function requireSameName(
  standing: Settings,
  folder: StateFolder,
  options: JoinOptions,
  { machine }: Wanted,
): void {
  const asked = options.node ?? (machine.name === "" ? standing.node : machine.name);
  if (asked === standing.node) return;
  throw new UserError(
    `Cannot rename this machine from ${standing.node} to ${asked}: its name is in its certificates`,
    `Leave the name as it is; or remove it (heddle node remove ${standing.node}, then the folder ${folder.path}) and join as ${asked}`,
  );
}

async function readMachineOrNull(runtime: Runtime, folder: StateFolder): Promise<MachineDocument | null> {
  try {
    return readMachine(await standingDocument(runtime, folder));
  } catch {
    return null;
  }
}

function isSame(one: Settings, other: Settings): boolean {
  const entries = (settings: Settings) => Object.entries(settings).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(entries(one)) === JSON.stringify(entries(other));
}

/** The name and the address of a machine that has joined are in its settings. */
function isSameMachine(one: MachineDocument | null, other: MachineDocument): boolean {
  const said = ({ name: _, address: __, ...rest }: MachineDocument) => JSON.stringify(rest);
  return one !== null && said(one) === said(other);
}
