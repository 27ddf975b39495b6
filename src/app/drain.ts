/** What is left of a machine, or of a service on it, after an operator took it out: who may still call it, and what it serves. */
import type { ControlClient } from "../api/control.ts";
import type { StatusAnswer } from "../api/messages.ts";
import { drainKey, serviceKey, type DrainPlace } from "../model/service.ts";
import type { UnderWayLine } from "../model/reading.ts";
import { ask } from "./asking.ts";
import { readStatus } from "./operator_lists.ts";

export interface Left extends Pick<UnderWayLine, "exchanges" | "streams" | "connections"> {
  /** What was taken out, as `drainKey` has it. */
  readonly place: string;
  /** Machines that are connected and do not go by it yet. */
  readonly behind: readonly string[];
  /** Machines that nobody can tell: they call it until they are back. */
  readonly away: readonly string[];
  /** Why its own machine does not tell what it serves; null: it did. */
  readonly problem: string | null;
}

export async function leftOf(
  operator: Pick<ControlClient, "call" | "stream">,
  place: DrainPlace,
): Promise<Left> {
  const { nodes } = await readStatus(operator);
  const others = nodes.filter(({ connected }) => connected);
  const behind = others.filter(({ wanted, acknowledged }) => wanted !== acknowledged);
  // Whoever is no service calls nobody.
  const away = nodes.filter(
    ({ connected, name, services }) => !connected && name !== place.node && services.length > 0,
  );
  const namesOf = (some: typeof nodes): string[] => some.map(({ name }) => name);
  const served = await servedAt(operator, place);
  return { place: drainKey(place), behind: namesOf(behind), away: namesOf(away), ...served };
}

async function servedAt(
  operator: Pick<ControlClient, "stream">,
  { node, service }: DrainPlace,
): Promise<Pick<Left, "exchanges" | "streams" | "connections" | "problem">> {
  const sum = { exchanges: 0, streams: 0, connections: 0 };
  let problem: string | null = null;
  const key = service === null ? null : serviceKey(service);
  await ask(
    operator as ControlClient,
    { question: { what: "under-way" }, machines: [node] },
    {
      line(line) {
        if (line.kind === "end") problem = line.problem;
        if (line.kind !== "line") return true;
        const { service: of, exchanges, streams, connections } = line.line as UnderWayLine;
        if (key !== null && key !== of) return true;
        sum.exchanges += exchanges;
        sum.streams += streams;
        sum.connections += connections;
        return true;
      },
    },
  );
  return { ...sum, problem };
}

/** All that operators took out, as `heddle drain` names it, of what runs. */
export function drainedPlaces({ nodes, instances }: Pick<StatusAnswer, "nodes" | "instances">): string[] {
  const machines = nodes.filter(({ drained }) => drained !== undefined).map(({ name }) => name);
  const others = instances.filter(({ drained, node }) => drained === true && !machines.includes(node));
  return [...machines, ...new Set(others.map(({ service, node }) => `${serviceKey(service)}@${node}`))];
}

/** Nobody new comes, and nothing is open. */
export function isEmpty({ behind, exchanges, connections, problem }: Left): boolean {
  return problem === null && behind.length === 0 && exchanges === 0 && connections === 0;
}
