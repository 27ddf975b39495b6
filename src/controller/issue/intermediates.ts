/**
 * Intermediates of other controllers: given by the one with the root's key, to machines that operators let be part of the control plane,
 * for a key whose possession was proved.
 */
import type { Hono } from "hono";
import * as v from "valibot";
import { readBody } from "../../api/body.ts";
import { requireCaller, type ControlEnv } from "../../api/caller.ts";
import { controllerPaths, registryKeys, type CommitRequest } from "../../api/messages.ts";
import type { IntermediateAnswer, IntermediateRequest } from "../../api/authority_messages.ts";
import { Refusal } from "../../api/problem.ts";
import type { ControlPlace } from "../../api/snapshot_messages.ts";
import { addressText } from "../../base/socket_address.ts";
import { isProof } from "../../identity/keys.ts";
import { limits } from "../../model/limits.ts";
import type { OwnPlace } from "../control_place.ts";
import type { Issuing } from "./issuing.ts";

export interface IntermediateRouteOptions {
  readonly issuing: Issuing;
  readonly trustDomain: string;
  readonly ownNode: string;
  /** `etcd://…`; null: a file. */
  readonly store: string | null;
  /** Of the whole control plane, this controller's own first. */
  readonly place: () => OwnPlace;
  readonly settled: (revision: number) => Promise<void>;
}

const short = v.pipe(v.string(), v.maxLength(512));
const address = v.strictObject({
  host: v.pipe(v.string(), v.minLength(1), v.maxLength(253)),
  port: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65_535)),
});
const addresses = v.pipe(v.array(address), v.maxLength(limits.controlAddressesMax));
const schema = v.strictObject({
  nonce: short,
  publicKey: short,
  signature: short,
  place: v.nullable(v.strictObject({ controllers: addresses, registries: addresses })),
});

export function mountIntermediateRoutes(app: Hono<ControlEnv>, options: IntermediateRouteOptions): void {
  const { trustDomain } = options;
  app.post(controllerPaths.intermediate, async (context) => {
    const caller = requireCaller(context, trustDomain, "node", "controller");
    const request = await readBody(context.req.raw, schema);
    return context.json(await give(options, caller.name, request));
  });
}

async function give(
  options: IntermediateRouteOptions,
  name: string,
  { nonce, publicKey, signature, place }: IntermediateRequest,
): Promise<IntermediateAnswer> {
  const { issuing } = options;
  const { authority, store, leafMs, log } = issuing.options;
  if (!authority.hasRoot)
    throw new Refusal(503, "The root's key is on the machine of another controller", "Ask that one");
  issuing.takeProof(nonce, () => isProof(publicKey, `heddle-intermediate:${nonce}:${name}`, signature));
  const { node, unchanged } = await issuing.nodes.read(name);
  if (node === null || node.removed || node.control !== true)
    throw new Refusal(
      403,
      `The machine ${name} may not be part of the control plane`,
      `heddle token create --control-plane makes a token for a new one; heddle node allow ${name} --control-plane lets this one`,
    );
  const certificatePem = await authority.giveIntermediate(name, publicKey);
  if (place !== null) {
    const operations = [placeOf(name, place), placeOf(options.ownNode, ownOf(options.place()))];
    const { ok, revision } = await store.commit(unchanged.slice(0, 1), operations);
    if (!ok) throw new Refusal(503, `The machine ${name} was changed meanwhile; try again`);
    await options.settled(revision);
    log(
      `${name} is part of the control plane: controller at ${place.controllers.map(addressText).join(", ")}`,
    );
  }
  const answer = { certificatePem, authority: authority.shared, leafMs, store: options.store };
  return { ...answer, place: options.place() };
}

function ownOf({ controllers, registries }: OwnPlace): ControlPlace {
  return { controllers: controllers.slice(0, 1), registries: registries.slice(0, 1) };
}

function placeOf(machine: string, place: ControlPlace): CommitRequest["operations"][number] {
  return { do: "put", key: registryKeys.places + machine, value: JSON.stringify(place) };
}
