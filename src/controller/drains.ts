/**
 * What operators took out of the mesh for a while: a machine, or what it runs of a service. Kept with the registry, so that no restart and
 * no repeated join brings it back; only an operator does, or the removal of the machine.
 */
import type { Hono } from "hono";
import * as v from "valibot";
import { readBody } from "../api/body.ts";
import type { ControlEnv } from "../api/caller.ts";
import { controllerPaths, registryKeys, type DrainAnswer, type DrainRequest } from "../api/messages.ts";
import { Refusal } from "../api/problem.ts";
import { isName } from "../identity/spiffe_id.ts";
import { drainKey, serviceKey, type Drain } from "../model/service.ts";
import type { Catalog } from "./catalog.ts";
import type { Operators } from "./operators.ts";
import type { StateStore } from "./state_store.ts";

export interface DrainsOptions {
  readonly catalog: Pick<Catalog, "nodes" | "instances" | "drains">;
  readonly store: StateStore;
  readonly operators: Operators;
  readonly wallMs: () => number;
  readonly requireReady: () => void;
  /** Waits until the catalog has seen this revision, for a moment at most. */
  readonly settled: (revision: number) => Promise<void>;
  readonly log: (text: string) => void;
}

const name = v.pipe(v.string(), v.check(isName, "expected lower-case letters, digits and inner hyphens"));
const drainSchema = v.strictObject({
  node: name,
  service: v.nullable(v.strictObject({ name, namespace: name })),
  drained: v.boolean(),
}) satisfies v.GenericSchema<DrainRequest>;

export function mountDrainRoutes(app: Hono<ControlEnv>, options: DrainsOptions): void {
  app.post(controllerPaths.drains, async (context) => {
    const operator = options.operators.require(context, "editor");
    options.requireReady();
    const request = await readBody(context.req.raw, drainSchema);
    return context.json(await setDrained(options, request, operator.name));
  });
}

async function setDrained(
  { catalog, store, wallMs, settled, log }: DrainsOptions,
  request: DrainRequest,
  by: string,
): Promise<DrainAnswer> {
  requirePlace(catalog, request);
  const { node, service, drained } = request;
  const key = registryKeys.drains + drainKey(request);
  const entry = await store.get(key);
  const change = (entry !== null) === drained ? "unchanged" : "changed";
  if (change === "changed") {
    const value: Drain = { by, atMs: wallMs() };
    const operation = drained
      ? ({ do: "put", key, value: JSON.stringify(value) } as const)
      : ({ do: "delete", key } as const);
    const { ok, revision } = await store.commit([{ key, modified: entry?.modified ?? 0 }], [operation]);
    if (!ok)
      throw new Refusal(409, `${drainKey(request)} was drained or brought back at this moment`, "Try again");
    await settled(revision);
    log(`${by} ${drained ? "drained" : "brought back"} ${drainKey(request)}`);
  }
  const isMeant = (each: (typeof catalog.instances)[number]): boolean =>
    each.node === node && (service === null || serviceKey(each.service) === serviceKey(service));
  return { change, instances: catalog.instances.filter(isMeant).map(({ id }) => id) };
}

function requirePlace({ nodes, drains }: DrainsOptions["catalog"], request: DrainRequest): void {
  const { node: name, service, drained } = request;
  const node = nodes.get(name);
  if (node === undefined || node.removed)
    throw new Refusal(404, `There is no machine "${name}"`, "heddle node list shows them");
  if (service === null) return;
  const key = serviceKey(service);
  if (!node.services.some((each) => serviceKey(each) === key))
    throw new Refusal(
      404,
      `${name} does not run ${key}`,
      `It may be: ${node.services.map(serviceKey).join(", ")}`,
    );
  // Else it would be said to be back, and nobody would call it.
  if (!drained && drains.has(drainKey({ node: name, service: null })))
    throw new Refusal(409, `The whole machine ${name} is drained`, `heddle undrain ${name} brings it back`);
}
