/** Whose traffic a machine takes into the mesh by its firewall, as its document says it. Pure. */
import type { MachineDocument } from "../model/document.ts";
import type { InterceptedUnit } from "./rules.ts";
import { sliceOf } from "./slice.ts";

/**
 * What stands for several instances of a unit holds as the stricter of them says, and for the ports of all of them: one that was left
 * out could be called around the mesh.
 */
export function interceptedUnits({ services, callers = [] }: MachineDocument): readonly InterceptedUnit[] {
  const said = [
    ...services.map(({ unit, intercept, port }) => ({ unit, intercept, ports: [port] })),
    ...callers.map(({ unit, intercept }) => ({ unit, intercept, ports: [] })),
  ];
  return [...Map.groupBy(said, ({ unit }) => unit)]
    .flatMap(([unit, all]): InterceptedUnit[] => {
      const wanted = all.flatMap(({ intercept }) => intercept ?? []);
      if (unit === undefined || wanted.length === 0) return [];
      const outbound = wanted.some((each) => each.outbound === "all") ? "all" : "mesh";
      const inbound = wanted.some((each) => each.inbound === "enforce") ? "enforce" : "audit";
      const ports = all.flatMap((each) => each.ports);
      const strict = wanted.some((each) => each.strict === true);
      return [{ unit, slice: sliceOf(unit), outbound, inbound, ports, strict }];
    })
    .sort((one, other) => (one.unit < other.unit ? -1 : 1));
}
