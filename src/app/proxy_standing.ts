/** How a proxy stands, in the words that its service manager hears. */
import type { Clock } from "../../runtime/contract.ts";
import { humanDuration } from "../base/duration.ts";
import type { CredentialStore } from "../identity/credential_store.ts";
import type { DataPlane } from "../proxy/data_plane.ts";
import type { Running } from "./running.ts";
import type { Settings } from "./settings.ts";

/** Once the listeners stand. */
export function standing(
  { node }: Settings,
  store: Pick<CredentialStore, "node">,
  plane: Pick<DataPlane, "state">,
  clock: Clock,
): Pick<Running, "waitsFor" | "status"> {
  return {
    waitsFor: () => [
      ...(store.node === null ? ["this machine's certificate"] : []),
      ...(plane.state === null ? ["the first configuration from the controller"] : []),
    ],
    status: () => {
      const version = plane.state?.snapshot.version.slice(0, 8) ?? "none";
      const leftMs = (store.node?.notAfterMs ?? 0) - clock.wallMs();
      const identity = leftMs > 0 ? `${humanDuration(leftMs)} left` : "ended";
      const count = plane.state?.locals.size ?? 0;
      const services = count === 1 ? "1 service" : `${count} services`;
      return `serving ${services} of ${node}, config ${version}, identity ${identity}`;
    },
  };
}
