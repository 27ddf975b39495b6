/**
 * Who calls units of this machine in clear text, around the mesh, for its metrics: counted by the firewall, which the proxy may not ask, and
 * written down by the unit that may.
 */
import type { Files } from "../../runtime/contract.ts";
import { readClearCallers } from "../intercept/standing.ts";
import { isIntercepting, type MachineDocument } from "../model/document.ts";
import { serviceKey } from "../model/service.ts";
import { interceptFiles } from "../systemd/intercept_units.ts";
import { families } from "../telemetry/families.ts";
import type { Metrics } from "../telemetry/metrics.ts";

export function exposeClearCallers(
  metrics: Metrics,
  files: Pick<Files, "readSync">,
  machine: () => MachineDocument,
): void {
  const connections = metrics.gauge(families.clearConnections);
  metrics.collect(() => {
    metrics.clear(families.clearConnections.name);
    if (!isIntercepting(machine())) return;
    const services = new Map(machine().services.map(({ port, service }) => [port, serviceKey(service)]));
    const written = files.readSync(interceptFiles.clear);
    for (const { address, port, packets } of readClearCallers(written))
      connections(services.get(port) ?? "", address).add(packets);
  });
}
