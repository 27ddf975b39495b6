/**
 * Two networks of this machine without a route between them, in namespaces of their own: `west` (10.77.1.0/24) and `east`
 * (10.77.2.0/24). Hosts between them are in both, and forward nothing. Needs root and iproute2.
 */
import { hasProgram, runProgram } from "./processes.ts";

/** Why they cannot be made; null: they can. */
export const networksMissing: string | null =
  process.getuid?.() !== 0
    ? "needs root"
    : !hasProgram("ip")
      ? "needs iproute2"
      : canMake()
        ? null
        : "this machine allows no network namespaces";

function canMake(): boolean {
  const name = `hd-${process.pid}-try`;
  try {
    runProgram(["ip", "netns", "add", name]);
    runProgram(["ip", "netns", "delete", name]);
    return true;
  } catch {
    return false;
  }
}

const prefixes = { west: "10.77.1", east: "10.77.2" } as const;
export type NetworkName = keyof typeof prefixes;

export interface HostPlan {
  readonly name: string;
  /** The last number of its addresses. */
  readonly number: number;
  /** In both: it stands between them. */
  readonly networks: readonly NetworkName[];
}

export class SeparateNetworks {
  /** Where whoever is between the two can be reached from both, by the host of that name. */
  readonly between = "10.77.0.1";

  /** `relay`: the host that has `between`. */
  constructor(
    readonly hosts: readonly HostPlan[],
    relay: string,
  ) {
    const middle = this.#space("middle");
    runProgram(["ip", "netns", "add", middle]);
    for (const network of ["west", "east"]) {
      this.#ip("middle", "link", "add", network, "type", "bridge");
      this.#ip("middle", "link", "set", network, "up");
    }
    for (const host of hosts) this.#add(host);
    this.#ip(relay, "address", "add", `${this.between}/32`, "dev", "lo");
    const { number } = this.#plan(relay);
    for (const { name, networks } of hosts)
      if (name !== relay)
        this.#ip(
          name,
          "route",
          "add",
          this.between,
          "via",
          `${prefixes[networks[0] as NetworkName]}.${number}`,
        );
  }

  #add({ name, number, networks }: HostPlan): void {
    const space = this.#space(name);
    runProgram(["ip", "netns", "add", space]);
    this.#ip(name, "link", "set", "lo", "up");
    this.run(name, ["sh", "-c", "echo 0 > /proc/sys/net/ipv4/ip_forward"]);
    for (const network of networks) {
      const near = `${network}-${number}`;
      this.#ip("middle", "link", "add", near, "type", "veth", "peer", "name", network, "netns", space);
      this.#ip("middle", "link", "set", near, "master", network, "up");
      this.#ip(name, "address", "add", `${prefixes[network]}.${number}/24`, "dev", network);
      this.#ip(name, "link", "set", network, "up");
    }
  }

  #plan(name: string): HostPlan {
    const plan = this.hosts.find((each) => each.name === name);
    if (plan === undefined) throw new Error(`There is no host ${name}`);
    return plan;
  }

  addressOf(name: string, network: NetworkName): string {
    return `${prefixes[network]}.${this.#plan(name).number}`;
  }

  #space(name: string): string {
    return `hd-${process.pid}-${name}`;
  }

  #ip(name: string, ...args: string[]): void {
    runProgram(["ip", "-n", this.#space(name), ...args]);
  }

  /** The command as that host runs it. */
  on(name: string, command: readonly string[]): string[] {
    return ["ip", "netns", "exec", this.#space(name), ...command];
  }

  run(name: string, command: readonly string[], env?: Readonly<Record<string, string>>): string {
    return runProgram(this.on(name, command), env === undefined ? {} : { env });
  }

  close(): void {
    for (const name of [...this.hosts.map((host) => host.name), "middle"]) {
      try {
        runProgram(["ip", "netns", "delete", this.#space(name)]);
      } catch {
        // It was not made.
      }
    }
  }
}
