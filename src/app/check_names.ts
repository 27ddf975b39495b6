/** Names of the mesh on this machine: whether DNS answers, which services have no address here and why, and who asks it. */
import type { Files } from "../../runtime/contract.ts";
import { hasHosts, hostsFile } from "../systemd/hosts.ts";
import { asksResolved, isResolverTold } from "../systemd/resolver.ts";
import { counted, fail, ok, warn, type Finding } from "./finding.ts";
import type { ProxyPage } from "./proxy_page.ts";

export async function checkNames(
  files: Pick<Files, "read" | "stat">,
  { names }: Pick<ProxyPage, "names">,
): Promise<Finding[]> {
  if (names === undefined || names.dns === null) return [];
  const { dns, problem, without } = names;
  if (problem !== null)
    return [
      fail("HED0013", "names", problem, "Stop what has it; or another port: heddle join --dns-port PORT"),
    ];
  return [
    ok("HED0013", "names", `${counted(names.names, "service")}, DNS at ${dns}`),
    ...without.map(({ services, reason, cure }) =>
      warn("HED0014", `address of ${services.join(", ")}`, reason, cure),
    ),
    ...(await checkResolver(files, dns)),
  ];
}

/** A machine that asks nobody for them may call by other ways: no reason to complain, where it was not set up. */
async function checkResolver(files: Pick<Files, "read" | "stat">, dns: string): Promise<Finding[]> {
  if (!(await asksResolved(files))) {
    const hosts = await files.read(hostsFile).catch(() => null);
    if (hosts !== null && hasHosts(new TextDecoder().decode(hosts)))
      return [ok("HED0013", "resolver", "this machine has no systemd-resolved: /etc/hosts has the names")];
    return [
      ok("HED0013", "resolver", `this machine has no systemd-resolved: its own has to ask ${dns} for mesh`),
    ];
  }
  return (await isResolverTold(files))
    ? [ok("HED0013", "resolver", "systemd-resolved asks for mesh here")]
    : [
        warn(
          "HED0013",
          "resolver",
          "systemd-resolved does not know who answers for mesh",
          "heddle init or heddle join as root, again, sets it up",
        ),
      ];
}
