/** The machines of the mesh: whether each is there, what it has in force, and how its proxy is. */
import type { MachineRow, MachinesView } from "../../api/dashboard_messages.ts";
import { drainKey, serviceKey } from "../../model/service.ts";
import type { ViewInput } from "./view_input.ts";

export function machinesView(input: ViewInput): MachinesView {
  const { catalog, publisher, watch, nowMs } = input;
  const instances = Map.groupBy(catalog.instances, ({ node }) => node);
  const members = [...catalog.nodes.values()].filter(({ removed }) => !removed);
  const machines = members.map(({ name, address, services, joinedMs }): MachineRow => {
    const { connected, lastSeenMs, wanted, acknowledged, error, certificates } = publisher.view(name);
    const [own, figures] = [instances.get(name) ?? [], watch.figures(name)];
    return {
      ...{ name, joinedMs, connected, lastSeenMs, wanted, acknowledged, error, certificates },
      drained: catalog.drains.has(drainKey({ node: name, service: null })),
      address: address ?? own[0]?.address ?? "",
      zone: own.find(({ zone }) => zone !== undefined)?.zone ?? "",
      version: figures?.version ?? "",
      services: services.map(serviceKey).sort(),
      instances: own.length,
      ready: own.filter(({ ready, drained }) => ready && drained !== true).length,
      ejected: publisher.ejectedBy(name).length,
      processors: figures?.processors ?? null,
      residentBytes: figures?.residentBytes ?? null,
    };
  });
  return { nowMs, machines: machines.sort((a, b) => (a.name < b.name ? -1 : 1)) };
}
