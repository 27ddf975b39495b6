/** One more machine: the two-step join, then everything it needs on disk. Repeated, it changes nothing and says so. */
import { socketAddress } from "../base/socket_address.ts";
import type { Runtime } from "../../runtime/contract.ts";
import { joinWithToken, type JoinKeys } from "../api/join.ts";
import { UserError } from "../base/user_error.ts";
import { CredentialStore, readJson, writeSecret } from "../identity/credential_store.ts";
import { generateKey, type KeyPair } from "../identity/keys.ts";
import { isName } from "../identity/spiffe_id.ts";
import { nodeId, serviceId } from "../model/identity.ts";
import { limits } from "../model/limits.ts";
import { serviceKey } from "../model/service.ts";
import { readMachine } from "./machine_document.ts";
import { keepReady } from "./machine_file.ts";
import { readSettings, writeSettings, type Address, type Settings } from "./settings.ts";
import type { StateFolder } from "./state_folder.ts";

export interface JoinOptions {
  readonly controller: Address;
  readonly token: string;
  readonly node: string;
  readonly address?: string;
  readonly loopback: string;
  readonly inboundPort: number;
  readonly outboundPort: number;
  readonly adminPort: number;
  readonly machine: { readonly file: string; readonly text: string };
}

export interface Joined {
  readonly settings: Settings;
  /** False: it had joined before, and nothing was changed. */
  readonly changed: boolean;
  /** What to tell. */
  readonly said: readonly string[];
}

export async function joinMesh(runtime: Runtime, folder: StateFolder, options: JoinOptions): Promise<Joined> {
  const { files, clock } = runtime;
  const standing = await readSettings(files, folder);
  if (standing !== null) return alreadyJoined(standing, folder, options);
  if (!isName(options.node)) {
    throw new UserError(
      `Cannot name this machine "${options.node}": expected lower-case letters, digits and '-'`,
      "Choose one with --node NAME",
    );
  }
  const machine = readMachine(options.machine);
  const keys: JoinKeys = {
    node: await nodeKey(runtime, folder),
    services: new Map(machine.services.map((each) => [serviceKey(each.service), generateKey()])),
  };
  const services = machine.services.map((each) => each.service);
  const { address = machine.address, controller, token, node, inboundPort } = options;
  const answer = await joinWithToken(runtime, {
    controller,
    token,
    node,
    keys,
    services,
    address: address ?? null,
    port: inboundPort,
  });
  const store = new CredentialStore(files, folder.credentials);
  const { trustDomain } = answer;
  const issuedMs = clock.wallMs();
  await store.setBundle(answer.bundle);
  await store.setNode({
    spiffeId: nodeId(trustDomain, node),
    tls: { chainPem: answer.node.chainPem, keyPem: keys.node.privatePem },
    issuedMs,
    notAfterMs: answer.node.notAfterMs,
  });
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
  await files.writeAtomic(folder.machine, options.machine.text, 0o644);
  await keepReady(runtime, folder, options.machine.text, machine);
  const settings: Settings = {
    format: 1,
    trustDomain,
    node,
    address: answer.address,
    loopback: options.loopback,
    ports: { inbound: inboundPort, outboundFirst: options.outboundPort, admin: options.adminPort },
    controller,
    registry: answer.registry,
    modes: ["proxy"],
    leafMs: limits.leafMs,
  };
  await writeSettings(files, folder, settings);
  const said = [
    `${node} joined ${trustDomain} as ${services.map(serviceKey).join(", ") || "a machine without services"}; its state is in ${folder.path}`,
  ];
  const skewMs = Math.abs(answer.controllerMs - clock.wallMs());
  if (skewMs > limits.clockSkewWarnMs)
    said.push(
      `Warning: the clock differs from the controller's by ${Math.round(skewMs / 1000)} s; certificates need clocks that agree`,
    );
  if (!answer.reachable.ok && !answer.reachable.detail.includes("nothing listens"))
    said.push(`Warning: ${answer.reachable.detail}`);
  return { settings, changed: true, said };
}

function alreadyJoined(settings: Settings, folder: StateFolder, options: JoinOptions): Joined {
  if (
    settings.controller.host !== options.controller.host ||
    settings.controller.port !== options.controller.port
  ) {
    throw new UserError(
      `Cannot join ${socketAddress(options.controller.host, options.controller.port)}: ${folder.path} belongs to ${settings.trustDomain} at ${socketAddress(settings.controller.host, settings.controller.port)}`,
      "Choose another folder with --state DIR, or remove that one",
    );
  }
  return {
    settings,
    changed: false,
    said: [`${settings.node} has joined ${settings.trustDomain} already; nothing was changed`],
  };
}

/** Made once and kept: it is how the machine is known. */
async function nodeKey(runtime: Runtime, folder: StateFolder): Promise<KeyPair> {
  const path = `${folder.credentials}/node.key.json`;
  const standing = await readJson<KeyPair>(runtime.files, path);
  if (standing !== null) return standing;
  const made = generateKey();
  await writeSecret(runtime.files, path, made);
  return made;
}
