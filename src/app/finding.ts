/** Facts that `heddle check` looks at, each for itself. Codes are stable, so that they can be searched for. */
export const checked = {
  HED0001: "Whether this machine belongs to a mesh: its state folder holds a membership",
  HED0002: "Whether secrets in the state folder can be read by their owner alone",
  HED0003: "Whether the Machine document in the state folder is there and can be read",
  HED0004:
    "Whether the certificates of the machine and of its services are there, valid, and renewed in time",
  HED0005: "Whether the controller answers at its address, and takes this machine for a member",
  HED0006: "Whether the clock agrees with the controller's: certificates are valid from and until a time",
  HED0007: "Whether other machines reach the inbound port: the controller tries it",
  HED0008: "Whether the proxy runs and is ready to carry traffic",
  HED0009:
    "Whether each app listens where its service says, answers its probe, and is not open to other machines",
  HED0010: "Whether every policy is asked, or is put aside because it failed",
  HED0011: "Whether the registry answers at its address",
  HED0012: "Whether the state folder can be written: certificates and snapshots are kept there",
  HED0013: "Whether DNS for names of the mesh answers on this machine, and the machine's resolver asks it",
  HED0014: "Whether every service has its virtual address here, or an app or unit has the port",
  HED0015: "Whether each unit that is attached is ordered with the proxy, and nothing binds it to the proxy",
  HED0017: "Whether an operator took a service of this machine, or the whole machine, out of the mesh",
  HED0018: "Whether the kernel has what policies are sealed with",
  HED0019: "Whether there is room where the state is kept",
  HED0020:
    "Whether rules of a firewall, in force now or loaded at boot, let other machines in, as far as they can be told",
  HED0021:
    "Whether the keys of the authority are closed to the proxy, as they are where its unit is the machine's",
  HED0022:
    "Whether the firewall takes traffic into the mesh of each unit for which the Machine document says so",
  HED0023: "Whether the settings of a machine with a controller are closed to its other units now",
  HED0024:
    "Whether each gateway of this machine listens at its ports, and has certificates that can be shown and do not end soon",
} as const;

export type CheckCode = keyof typeof checked;

/** What `heddle check` found about one fact. */
export interface Finding {
  readonly code: CheckCode;
  readonly title: string;
  readonly result: "ok" | "warn" | "fail";
  readonly detail: string;
  /** What to do; null when it is well. */
  readonly cure: string | null;
}

export function ok(code: CheckCode, title: string, detail = ""): Finding {
  return { code, title, result: "ok", detail, cure: null };
}

export function warn(code: CheckCode, title: string, detail: string, cure: string): Finding {
  return { code, title, result: "warn", detail, cure };
}

export function fail(code: CheckCode, title: string, detail: string, cure: string): Finding {
  return { code, title, result: "fail", detail, cure };
}

export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
