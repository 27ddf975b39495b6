/** The machine of the controller joins by itself: the authority is right here. */
import type { Runtime } from "../../runtime/contract.ts";
import type { FirstMachine } from "../controller/first_contents.ts";
import type { Authority, Issued } from "../identity/authority.ts";
import { CredentialStore } from "../identity/credential_store.ts";
import { generateKey } from "../identity/keys.ts";
import { ownServices, type MachineDocument } from "../model/document.ts";
import { nodeId, serviceId } from "../model/identity.ts";
import { serviceKey } from "../model/service.ts";
import { nodeKey } from "./node_key.ts";
import type { Settings } from "./settings.ts";
import type { StateFolder } from "./state_folder.ts";

export async function enrollSelf(
  runtime: Runtime,
  folder: StateFolder,
  authority: Authority,
  settings: Settings,
  machine: MachineDocument,
): Promise<FirstMachine> {
  const { files, clock } = runtime;
  const store = new CredentialStore(files, folder.credentials);
  const key = await nodeKey(files, folder);
  const issued: Issued[] = [];
  const issue = async (spiffeId: string, key: { publicKey: string; privatePem: string }) => {
    const made = await authority.issue({ spiffeId, publicKey: key.publicKey, ttlMs: settings.leafMs });
    issued.push(made);
    const { chainPem, notAfterMs } = made;
    return { spiffeId, tls: { chainPem, keyPem: key.privatePem }, issuedMs: clock.wallMs(), notAfterMs };
  };
  await store.setNode(await issue(nodeId(settings.trustDomain, settings.node), key));
  await store.setBundle(authority.bundle);
  const services = ownServices(machine);
  for (const service of services)
    await store.setService(
      serviceKey(service),
      await issue(serviceId(settings.trustDomain, service), generateKey()),
    );
  const { publicKey } = key;
  const joinedMs = clock.wallMs();
  return {
    node: { name: settings.node, services, publicKey, joinedMs, removed: false, address: settings.address },
    issued,
  };
}
