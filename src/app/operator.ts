/**
 * The operator's way to the controller: the credential that `init` wrote, or one that `heddle operator create` did, which is
 * renewed here, where it is used.
 */
import type { Runtime } from "../../runtime/contract.ts";
import { isSameAddress, type Address } from "../base/socket_address.ts";
import { UserError } from "../base/user_error.ts";
import type { ControlClient, ControlIdentity } from "../api/control.ts";
import { controllerPaths, type JoinNonce } from "../api/messages.ts";
import type { OperatorAnswer, OperatorRequest, OperatorRole } from "../api/operator_messages.ts";
import { createControlClient } from "../api/control_client.ts";
import { Shard } from "../http/shard.ts";
import { principalOf } from "../identity/spiffe_id.ts";
import { generateKey, keyOf, prove, type KeyPair } from "../identity/keys.ts";
import { limits } from "../model/limits.ts";
import { ModeCredentialFile, writeModeCredential, type ModeCredential } from "./mode_credential.ts";
import { requireOwnSecret } from "./own_state.ts";
import type { StateFolder } from "./state_folder.ts";

function operatorPath({ process }: Runtime, folder: StateFolder): string {
  return process.env["HEDDLE_OPERATOR"] ?? folder.operator;
}

export async function openOperator(runtime: Runtime, folder: StateFolder): Promise<ControlClient> {
  const path = operatorPath(runtime, folder);
  await requireOwnSecret(runtime, path);
  const file = new ModeCredentialFile(runtime.files, path);
  const credential = await loadFresh(runtime, file, path);
  if (credential === null) {
    throw new UserError(
      `Cannot act as an operator: there is no credential at ${path}`,
      "It is written by `heddle init` on the first machine: run this there, and as root (with sudo) where heddle is a service of the machine. For another place make one with `heddle operator create`, and set HEDDLE_OPERATOR to it",
    );
  }
  if (credential.notAfterMs < runtime.clock.wallMs()) {
    throw new UserError(
      `Cannot act as an operator: the credential at ${path} ended ${new Date(credential.notAfterMs).toISOString()}`,
      isOwn(credential)
        ? "The controller renews the one in its own state folder while it runs; for another place: heddle operator create"
        : "heddle operator create, by an operator who is admin, makes a new one",
    );
  }
  return linkOf(runtime, credential, () => file.identity());
}

function linkOf(
  { net, clock }: Runtime,
  credential: ModeCredential,
  identity: () => ControlIdentity,
): ControlClient {
  const trustDomain = credential.spiffeId.split("/")[2] ?? "";
  return createControlClient({
    net,
    clock,
    shard: new Shard(clock),
    servers: controllersIn(credential),
    identity,
    expect: (id) => principalOf(id, trustDomain)?.kind === "controller",
    serverName: "controller.heddle",
  });
}

/** A file that an older version wrote names one. */
function controllersIn({
  controllers,
  controller,
}: Partial<Pick<ModeCredential, "controllers" | "controller">>): readonly Address[] {
  return controllers ?? (controller === undefined ? [] : [controller]);
}

/** The one of the controller's own machine. */
function isOwn({ spiffeId }: ModeCredential): boolean {
  return spiffeId.endsWith("/operator/admin");
}

/** What is old is renewed first. While the controller is away, what is valid still is used. */
async function loadFresh(
  runtime: Runtime,
  file: ModeCredentialFile,
  path: string,
): Promise<ModeCredential | null> {
  const found = await file.load();
  if (found === null || isOwn(found)) return found;
  const nowMs = runtime.clock.wallMs();
  if (nowMs - found.issuedMs < limits.operatorRenewMs && nowMs < found.notAfterMs) return found;
  const control = linkOf(runtime, found, () => ({ credential: null, rootsPem: found.rootsPem }));
  try {
    const name = found.spiffeId.split("/").at(-1) ?? "";
    const request = await proofOf(control, name, keyOf(found.keyPem));
    const answer = (await control.call("POST", `${controllerPaths.operators}/renew`, request)).body;
    await writeModeCredential(runtime.files, path, credentialOf(answer as OperatorAnswer, found, nowMs));
  } catch (error) {
    if (nowMs > found.notAfterMs) throw error;
  } finally {
    control.close();
  }
  return await file.load();
}

/** The proof of a key, as the controller asks for it. */
async function proofOf(control: ControlClient, name: string, key: KeyPair): Promise<OperatorRequest> {
  const { nonce } = (await control.call("POST", controllerPaths.nonce, {})).body as JoinNonce;
  const signature = prove(key.privatePem, `heddle-operator:${nonce}:${name}`);
  return { name, nonce, publicKey: key.publicKey, signature };
}

/**
 * Where the controller was found stays first, whatever it says: it may be the end of a tunnel. Where it says that it is, or will be, is
 * tried after that.
 */
function credentialOf(
  { spiffeId, chainPem, notAfterMs, rootsPem, controllers: told = [] }: OperatorAnswer,
  { keyPem, ...before }: Pick<ModeCredential, "keyPem" | "controllers" | "controller">,
  issuedMs: number,
): ModeCredential {
  const known = controllersIn(before);
  const others = told.filter((each) => !known.some((one) => isSameAddress(one, each)));
  const controllers = [...known, ...others].slice(0, limits.controlAddressesMax);
  return { format: 1, spiffeId, chainPem, keyPem, issuedMs, notAfterMs, rootsPem, controllers };
}

/** A new operator, and its credential in a file for itself alone. */
export async function createOperator(
  runtime: Runtime,
  folder: StateFolder,
  { name, role, path }: { readonly name: string; readonly role: OperatorRole; readonly path: string },
): Promise<ModeCredential> {
  if ((await runtime.files.stat(path)) !== null)
    throw new UserError(
      `Cannot write the credential to ${path}: there is a file already`,
      "Choose another: --out FILE",
    );
  const control = await openOperator(runtime, folder);
  const by = await new ModeCredentialFile(runtime.files, operatorPath(runtime, folder)).load();
  try {
    const key = generateKey();
    const request = { ...(await proofOf(control, name, key)), role };
    const answer = (await control.call("POST", controllerPaths.operators, request)).body as OperatorAnswer;
    const controllers = controllersIn(by as ModeCredential);
    const made = credentialOf(answer, { keyPem: key.privatePem, controllers }, runtime.clock.wallMs());
    await writeModeCredential(runtime.files, path, made);
    return made;
  } finally {
    control.close();
  }
}
