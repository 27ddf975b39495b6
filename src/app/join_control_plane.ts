/**
 * A member becomes part of the control plane: its controller has an intermediate of its own, signed by the one with the root's key, and
 * where etcd keeps what the registry keeps, it has a registry too. Repeated, it gets another intermediate and is otherwise the same.
 */
import type { Runtime } from "../../runtime/contract.ts";
import { controllerPaths, type JoinNonce } from "../api/messages.ts";
import type { IntermediateAnswer, IntermediateRequest } from "../api/authority_messages.ts";
import { addressText, isSameAddress, type Address } from "../base/socket_address.ts";
import { problemOf } from "../base/result.ts";
import { UserError } from "../base/user_error.ts";
import { Authority } from "../identity/authority.ts";
import { joinedAuthority } from "../identity/authority_state.ts";
import { CredentialStore } from "../identity/credential_store.ts";
import { generateKey, prove } from "../identity/keys.ts";
import { issueModeCredentials, writeAuthority } from "./authority_file.ts";
import { controllerAsNode } from "./controller_link.ts";
import { openStoreOnce } from "./registry_store.ts";
import { writeSettings, type Settings } from "./settings.ts";
import type { StateFolder } from "./state_folder.ts";

export interface ControlPlaneOptions {
  readonly controllerPort: number;
  readonly registryPort: number;
  /** `etcd://…`, where this machine reaches it otherwise than the others; absent: as they do. */
  readonly store?: string;
}

export async function joinControlPlane(
  runtime: Runtime,
  folder: StateFolder,
  standing: Settings,
  options: ControlPlaneOptions,
): Promise<Settings> {
  const { files, clock } = runtime;
  const key = generateKey();
  const own = {
    controller: { host: standing.address, port: options.controllerPort },
    registry: { host: standing.address, port: options.registryPort },
  };
  // Whether a registry will be here is only known from the answer: the first question does not say where it is.
  const first = await askAll(runtime, folder, standing, key, null);
  const store = options.store ?? first.store;
  const registries = store === null ? [] : [own.registry];
  const settings: Settings = {
    ...standing,
    controllers: ownFirst(own.controller, first.place.controllers),
    registries:
      store === null ? atLeastOne(first.place.registries) : ownFirst(own.registry, first.place.registries),
    modes: store === null ? ["controller", "proxy"] : ["registry", "controller", "proxy"],
    leafMs: first.leafMs,
    ...(store === null ? {} : { store }),
  };
  // Before others are told of it: what cannot be reached here would only be in their way.
  if (store !== null) (await openStoreOnce(runtime, folder, settings)).close();
  const place = { controllers: [own.controller], registries };
  const { certificatePem, authority: shared } = await askAll(runtime, folder, standing, key, place);
  const state = joinedAuthority(shared, { certificatePem, keyPem: key.privatePem });
  await writeAuthority(files, folder, state);
  const authority = new Authority(
    state,
    (next) => writeAuthority(files, folder, next),
    () => clock.wallMs(),
  );
  await issueModeCredentials(files, folder, authority, settings, clock.wallMs());
  await writeSettings(files, folder, settings);
  return settings;
}

/** Of the controllers only the one with the root's key gives it. */
async function askAll(
  runtime: Runtime,
  folder: StateFolder,
  settings: Settings,
  key: ReturnType<typeof generateKey>,
  place: IntermediateRequest["place"],
): Promise<IntermediateAnswer> {
  const credentials = new CredentialStore(runtime.files, folder.credentials);
  await credentials.load([]);
  const problems: string[] = [];
  for (const server of settings.controllers) {
    const { trustDomain } = settings;
    const control = controllerAsNode(runtime, { trustDomain, controllers: [server] }, credentials);
    try {
      const { nonce } = (await control.call("POST", controllerPaths.nonce, {})).body as JoinNonce;
      const signature = prove(key.privatePem, `heddle-intermediate:${nonce}:${settings.node}`);
      const request: IntermediateRequest = { nonce, publicKey: key.publicKey, signature, place };
      return (await control.call("POST", controllerPaths.intermediate, request)).body as IntermediateAnswer;
    } catch (error) {
      problems.push(`${addressText(server)}: ${problemOf(error)}`);
    } finally {
      control.close();
    }
  }
  throw new UserError(
    `Cannot make ${settings.node} part of the control plane: ${problems.join("; ")}`,
    `An operator lets it: heddle node allow ${settings.node} --control-plane; then repeat this`,
  );
}

function ownFirst(own: Address, others: readonly Address[]): Settings["controllers"] {
  return [own, ...others.filter((each) => !isSameAddress(each, own))];
}

function atLeastOne([first, ...others]: readonly Address[]): Settings["registries"] {
  if (first === undefined) throw new UserError("Cannot be part of a control plane that has no registry");
  return [first, ...others];
}
