/** Whether a control plane of this machine runs, by whatever started it: its ports tell. */
import type { Runtime } from "../../runtime/contract.ts";
import { problemOf } from "../base/result.ts";
import { UserError } from "../base/user_error.ts";
import { requireFreePorts } from "./machine_ports.ts";
import type { Settings } from "./settings.ts";

/** Those of the proxy are none of its business. */
const noPorts: Settings["ports"] = { inbound: 0, outboundFirst: 0, admin: 0, dns: 0 };

export function requireNoControlPlane(
  { net }: Pick<Runtime, "net">,
  settings: Settings,
  action: string,
): void {
  const own: Settings = { ...settings, modes: ["registry", "controller"], ports: noPorts };
  try {
    requireFreePorts(net, own, { services: [] });
  } catch (error) {
    throw new UserError(
      `Cannot ${action} while the control plane runs: ${problemOf(error)}`,
      "systemctl stop heddle-controller heddle-registry, or Ctrl-C where they run in the foreground",
    );
  }
}
