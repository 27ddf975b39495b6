/**
 * Every port that this machine's modes and apps have, by whom: one that two would have is refused by name, and one that a
 * stranger has is found before anything is written or spent.
 */
import type { Net } from "../../runtime/contract.ts";
import { socketAddress } from "../base/socket_address.ts";
import { UserError } from "../base/user_error.ts";
import type { MachineDocument } from "../model/document.ts";
import { ports as defaults } from "../model/ports.ts";
import { serviceKey } from "../model/service.ts";
import { httpPortAt } from "../proxy/listen/outbound_listeners.ts";
import { adminPort, bindHost, redirectedTo, type Settings } from "./settings.ts";

interface PortUse {
  /** Who has it, for people. */
  readonly what: string;
  readonly host: string;
  readonly port: number;
  /** false: an app listens there, not heddle. */
  readonly own: boolean;
  /** Whoever reaches it acts as a local service. */
  readonly identity: boolean;
}

/** Ports that the host chooses (0) are left out. */
function portsOf(settings: Settings, machine: Pick<MachineDocument, "services">): readonly PortUse[] {
  const { controllers, registries, ports, loopback, modes } = settings;
  const uses: PortUse[] = [];
  const use = (what: string, host: string, port: number, kind: Partial<PortUse> = {}): void => {
    if (port !== 0) uses.push({ what, host, port, own: true, identity: false, ...kind });
  };
  const shared = bindHost(settings);
  if (modes.includes("controller")) use("the controller", shared, controllers[0].port);
  if (modes.includes("registry")) use("the registry", shared, registries[0].port);
  use("the inbound listener", shared, ports.inbound);
  use("DNS", loopback, ports.dns ?? defaults.dns);
  for (const mode of modes) use(`the admin pages of the ${mode}`, loopback, adminPort(settings, mode));
  for (const [at, local] of machine.services.entries()) {
    const key = serviceKey(local.service);
    const outbound = httpPortAt(machine.services, at, ports.outboundFirst) ?? 0;
    use(`the HTTP outbound listener of ${key}`, loopback, outbound, { identity: true });
    for (const { service, host, port } of local.upstreams)
      use(`the upstream ${serviceKey(service)} of ${key}`, host, port ?? 0, { identity: true });
    use(`the app of ${key}`, local.host, local.port, { own: false });
  }
  if (machine.services.some(({ intercept }) => intercept !== undefined))
    for (const port of redirectedTo(settings).ports) use("connections of intercepted units", loopback, port);
  return uses;
}

/** Refuses two that would have one port, and listeners of an identity that others than this machine reach. */
export function requireUsablePorts(settings: Settings, machine: MachineDocument): void {
  const uses = portsOf(settings, machine);
  for (const [at, one] of uses.entries()) {
    const other = uses.slice(0, at).find((each) => (one.own || each.own) && collide(one, each));
    if (other === undefined) continue;
    throw new UserError(
      `Cannot use port ${one.port} twice: for ${other.what} (${socketAddress(other.host, other.port)}) and for ${one.what} (${socketAddress(one.host, one.port)})`,
      "Choose another port for one of them, with its flag of heddle init or heddle join or in the Machine document",
    );
  }
  const open = uses.find((each) => each.identity && !isLoopback(each.host));
  if (open === undefined || settings.openListeners === true) return;
  throw new UserError(
    `Cannot listen on ${socketAddress(open.host, open.port)} for ${open.what}: whoever reaches it acts as that service, without a certificate`,
    'Bind a loopback address; or say that it is meant: --open-listeners at heddle init or heddle join ("openListeners": true in heddle.json)',
  );
}

/** Throws the `ListenError` of the first port that a stranger has. The modes have the last word. */
export function requireFreePorts(
  net: Net,
  settings: Settings,
  machine: Pick<MachineDocument, "services">,
): void {
  for (const { own, host, port } of portsOf(settings, machine)) {
    if (!own) continue;
    const listener = net.listen({ host, port }, (socket) => {
      socket.destroy();
      return { data() {}, drain() {}, end() {}, close() {} };
    });
    listener.close();
  }
}

function collide(one: PortUse, other: PortUse): boolean {
  return (
    one.port === other.port &&
    (one.host === other.host || isEveryInterface(one.host) || isEveryInterface(other.host))
  );
}

function isEveryInterface(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}

function isLoopback(host: string): boolean {
  return host.startsWith("127.") || host === "::1" || host === "localhost";
}
