/**
 * What is taken away from heddle's processes (systemd.exec(5), systemd.resource-control(5)). Two things can never be: memory that is
 * written and run (MemoryDenyWriteExecute=), without which the runtime has no compiler and no native calls; and the calls by which
 * policies are sealed (Landlock, seccomp).
 */
import type { UnitSection } from "./unit_text.ts";

const bindLowPorts = "CAP_NET_BIND_SERVICE";

/** What needs no privilege to take away: for units of a user's own manager too. */
export const hardeningOfAnyone: UnitSection = {
  NoNewPrivileges: "yes",
  UMask: "0077",
  LockPersonality: "yes",
  RestrictAddressFamilies: "AF_UNIX AF_INET AF_INET6 AF_NETLINK",
  RestrictNamespaces: "yes",
  RestrictRealtime: "yes",
  RestrictSUIDSGID: "yes",
  SystemCallArchitectures: "native",
  SystemCallFilter: [
    "@system-service",
    "~@privileged @resources",
    // Policies are sealed with these; and threads of the runtime that can wait give way by the last.
    "landlock_create_ruleset landlock_add_rule landlock_restrict_self seccomp setpriority",
  ],
  SystemCallErrorNumber: "EPERM",
};

/** What the manager of the machine can take away besides. */
export function hardeningOfSystem(lowPorts: boolean): UnitSection {
  return {
    ...hardeningOfAnyone,
    AmbientCapabilities: lowPorts ? bindLowPorts : "",
    CapabilityBoundingSet: lowPorts ? bindLowPorts : "",
    DevicePolicy: "closed",
    KeyringMode: "private",
    PrivateDevices: "yes",
    PrivateTmp: "yes",
    ProtectClock: "yes",
    ProtectControlGroups: "yes",
    ProtectHome: "yes",
    ProtectHostname: "yes",
    ProtectKernelLogs: "yes",
    ProtectKernelModules: "yes",
    ProtectKernelTunables: "yes",
    ProtectSystem: "strict",
    RemoveIPC: "yes",
  };
}
