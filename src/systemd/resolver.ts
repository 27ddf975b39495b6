/**
 * How programs of the machine come to ask heddle for names of the zone `mesh`: systemd-resolved is told to, by a delegate where it
 * knows those (systemd 258 and later), by a routing domain where it does not. A machine without it is left as it is.
 */
import type { Files } from "../../runtime/contract.ts";
import { socketAddress, type Address } from "../base/socket_address.ts";
import type { Step } from "./plan.ts";
import { unitText } from "./unit_text.ts";

const versionOfDelegates = 258;
const delegate = "/etc/systemd/dns-delegate.d/heddle.dns-delegate";
const routing = "/etc/systemd/resolved.conf.d/heddle.conf";
/** What it makes for programs to read: without it nobody runs it. */
const stub = "/run/systemd/resolve/stub-resolv.conf";
/** What systemctl(1) ends with then. */
const noSuchUnit = 5;
const reload: Step = {
  kind: "run",
  command: ["systemctl", "try-reload-or-restart", "systemd-resolved.service"],
  when: "changed",
  undo: null,
  // Nor is it on every machine.
  fine: [noSuchUnit],
};

/** Whether look-ups of this machine go to systemd-resolved. */
export async function asksResolved(files: Pick<Files, "read" | "stat">): Promise<boolean> {
  if ((await files.stat(stub)) === null) return false;
  const bytes = await files.read("/etc/resolv.conf").catch(() => null);
  return bytes !== null && /^nameserver\s+127\.0\.0\.5[34]\s*$/m.test(new TextDecoder().decode(bytes));
}

/** `dns`: where the names are answered. */
export function resolverSteps(version: number, dns: Address): readonly Step[] {
  const server = socketAddress(dns.host, dns.port);
  const file: Step =
    version >= versionOfDelegates
      ? { kind: "write", path: delegate, text: unitText({ Delegate: { DNS: server, Domains: "mesh" } }) }
      : { kind: "write", path: routing, text: unitText({ Resolve: { DNS: server, Domains: "~mesh" } }) };
  return [file, reload];
}

/** Whichever of them was written. */
export function resolverRemoval(): readonly Step[] {
  return [
    ...[delegate, routing].flatMap((path): Step[] => [
      { kind: "remove", path, onlyOwn: true },
      { kind: "remove", path: path.slice(0, path.lastIndexOf("/")), onlyOwn: false, onlyEmpty: true },
    ]),
    reload,
  ];
}

/** Whether it was told. */
export async function isResolverTold(files: Pick<Files, "stat">): Promise<boolean> {
  const stats = await Promise.all([delegate, routing].map((path) => files.stat(path)));
  return stats.some((stat) => stat !== null);
}
