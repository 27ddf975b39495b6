/** Whose traffic a machine takes into the mesh by its firewall, as its document says it. Pure. */
import type { MachineDocument } from "../model/document.ts";
import type { InterceptedUnit } from "./rules.ts";
import { sliceOf } from "./slice.ts";

/** What stands for several instances of a unit holds as the stricter of them says. */
export function interceptedUnits({ services, callers = [] }: MachineDocument): readonly InterceptedUnit[] {
  const said = [
    ...services.map(({ unit, intercept, port }) => ({ unit, intercept, ports: [port] })),
    ...callers.map(({ unit, intercept }) => ({ unit, intercept, ports: [] })),
  ];
  const units = new Map<string, InterceptedUnit>();
  for (const { unit, intercept, ports } of said) {
    if (unit === undefined || intercept === undefined) continue;
    const before = units.get(unit);
    units.set(unit, {
      unit,
      slice: sliceOf(unit),
      outbound: intercept.outbound === "all" ? "all" : (before?.outbound ?? "mesh"),
      inbound: intercept.inbound === "enforce" ? "enforce" : (before?.inbound ?? "audit"),
      ports: [...(before?.ports ?? []), ...ports],
      strict: intercept.strict === true || before?.strict === true,
    });
  }
  return [...units.values()].sort((one, other) => (one.unit < other.unit ? -1 : 1));
}
