/** The authority on disk, and the credentials that the controller's machine makes for itself with it. */
import type { Clock, Files } from "../../runtime/contract.ts";
import type { Address } from "../base/socket_address.ts";
import { Authority } from "../identity/authority.ts";
import type { AuthorityState } from "../identity/authority_state.ts";
import { readJson, writeSecret } from "../identity/credential_store.ts";
import { generateKey } from "../identity/keys.ts";
import { controllerId, operatorId, registryId } from "../model/identity.ts";
import type { Settings } from "./settings.ts";
import { writeModeCredential, type ModeCredential } from "./mode_credential.ts";
import type { StateFolder } from "./state_folder.ts";

export const authorityFile = (folder: StateFolder): string => `${folder.authority}/authority.json`;

export async function readAuthority(
  files: Files,
  clock: Clock,
  folder: StateFolder,
): Promise<Authority | null> {
  const state = await readJson<AuthorityState>(files, authorityFile(folder));
  return state === null
    ? null
    : new Authority(
        state,
        (next) => writeAuthority(files, folder, next),
        () => clock.wallMs(),
      );
}

export async function writeAuthority(
  files: Files,
  folder: StateFolder,
  state: AuthorityState,
): Promise<void> {
  await writeSecret(files, authorityFile(folder), state);
}

/** Credentials of controller, registry and operator. Their keys are new each time. */
export async function issueModeCredentials(
  files: Files,
  folder: StateFolder,
  authority: Authority,
  settings: Settings,
  nowMs: number,
): Promise<void> {
  const { trustDomain, node, controllers, leafMs } = settings;
  const each: readonly (readonly [string, string])[] = [
    [folder.controllerCredential, controllerId(trustDomain, node)],
    [folder.registryCredential, registryId(trustDomain, node)],
    [folder.operator, operatorId(trustDomain, "admin")],
  ];
  for (const [path, spiffeId] of each) {
    await writeModeCredential(
      files,
      path,
      await makeCredential(authority, spiffeId, leafMs, controllers, nowMs),
    );
  }
}

async function makeCredential(
  authority: Authority,
  spiffeId: string,
  ttlMs: number,
  controllers: readonly Address[],
  nowMs: number,
): Promise<ModeCredential> {
  const key = generateKey();
  const issued = await authority.issue({ spiffeId, publicKey: key.publicKey, ttlMs });
  return {
    format: 1,
    spiffeId,
    chainPem: issued.chainPem,
    keyPem: key.privatePem,
    issuedMs: nowMs,
    notAfterMs: issued.notAfterMs,
    rootsPem: authority.bundle.rootsPem,
    controllers,
  };
}
