/** Whether this machine is still what its state folder says, as far as the controller tells. */
import type { Runtime } from "../../runtime/contract.ts";
import { ControlRefusal } from "../api/control.ts";
import { controllerPaths } from "../api/messages.ts";
import { CredentialStore } from "../identity/credential_store.ts";
import { serviceKey, type ServiceName } from "../model/service.ts";
import { controllerAsNode } from "./controller_link.ts";
import type { Settings } from "./settings.ts";
import type { StateFolder } from "./state_folder.ts";

/**
 * `member` also where nobody can tell because the controller is away. `incomplete`: a service has no certificate yet.
 * `ended`: the machine was removed, or its certificate ended.
 */
export type Membership = "member" | "incomplete" | "ended";

export async function readMembership(
  runtime: Runtime,
  folder: StateFolder,
  settings: Settings,
  services: readonly ServiceName[],
): Promise<Membership> {
  const store = new CredentialStore(runtime.files, folder.credentials);
  await store.load(services);
  if (store.node === null || store.node.notAfterMs < runtime.clock.wallMs()) return "ended";
  const control = controllerAsNode(runtime, settings, store);
  try {
    // Whoever shows a certificate that was revoked is refused, whatever it asks.
    await control.call("POST", controllerPaths.nonce, {});
  } catch (error) {
    if (error instanceof ControlRefusal && (error.status === 401 || error.status === 403)) return "ended";
    return "member";
  } finally {
    control.close();
  }
  return services.every((each) => store.service(serviceKey(each)) !== null) ? "member" : "incomplete";
}
