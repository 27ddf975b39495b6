/** Where machines are told to find the control plane, which operators change before it moves. Every machine that follows is told at once. */
import type { Hono } from "hono";
import * as v from "valibot";
import { readBody } from "../api/body.ts";
import type { ControlEnv } from "../api/caller.ts";
import { controllerPaths } from "../api/messages.ts";
import { Refusal } from "../api/problem.ts";
import type { ControlPlace, ControlPlaceAnswer } from "../api/snapshot_messages.ts";
import { addressText, isSameAddress, type Address } from "../base/socket_address.ts";
import { limits } from "../model/limits.ts";
import type { Operators } from "./operators.ts";
import type { Publisher } from "./publisher.ts";

/** At least one of each; the first is this control plane's own. */
export interface OwnPlace extends ControlPlace {
  readonly controllers: readonly [Address, ...Address[]];
  readonly registries: readonly [Address, ...Address[]];
}

export interface PlaceKeeper {
  now(): OwnPlace;
  /** Resolves once it is on disk. */
  change(place: OwnPlace): Promise<void>;
}

/** This control plane's own place first, then those of the other machines with a controller, as the catalog has them. */
export function wholePlace(
  own: PlaceKeeper,
  catalog: { readonly places: ReadonlyMap<string, ControlPlace> },
  machine: string,
): PlaceKeeper {
  const all = <Field extends keyof OwnPlace>(field: Field): OwnPlace[Field] => {
    const [first, ...rest] = own.now()[field];
    const others = [...catalog.places]
      .filter(([name]) => name !== machine)
      .flatMap(([, place]) => place[field]);
    const more = [...others, ...rest].filter((each) => !isSameAddress(each, first));
    return [first, ...more.filter((each, at) => more.findIndex((one) => isSameAddress(one, each)) === at)];
  };
  return {
    now: () => ({ controllers: all("controllers"), registries: all("registries") }),
    change: (place) => own.change(place),
  };
}

/**
 * What its settings should say once the places of other machines are these: without what only those before had, with what is new. null: as
 * they are.
 */
export function settledPlace(
  own: OwnPlace,
  before: ReadonlyMap<string, ControlPlace>,
  after: ReadonlyMap<string, ControlPlace>,
): OwnPlace | null {
  const next = <Field extends keyof OwnPlace>(field: Field): OwnPlace[Field] => {
    const [first, ...rest] = own[field];
    const [gone, now] = [before, after].map((places) =>
      [...places.values()].flatMap((place) => place[field]),
    );
    const stays = rest.filter((each) => isAmong(each, now ?? []) || !isAmong(each, gone ?? []));
    const fresh = (now ?? []).filter((each) => !isSameAddress(each, first) && !isAmong(each, stays));
    return [first, ...stays, ...fresh];
  };
  const place = { controllers: next("controllers"), registries: next("registries") };
  const { controllers, registries } = own;
  return JSON.stringify(place) === JSON.stringify({ controllers, registries }) ? null : place;
}

function isAmong(one: Address, others: readonly Address[]): boolean {
  return others.some((each) => isSameAddress(one, each));
}

export interface ControlPlaceRouteOptions {
  readonly operators: Operators;
  readonly publisher: Publisher;
  readonly place: PlaceKeeper;
  /** Names of all machines that are members. */
  readonly members: () => readonly string[];
  readonly requireReady: () => void;
  readonly log: (text: string) => void;
}

const address = v.strictObject({
  host: v.pipe(v.string(), v.minLength(1), v.maxLength(253)),
  port: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65_535)),
});
const addresses = v.pipe(v.tupleWithRest([address], address), v.maxLength(limits.controlAddressesMax));
const placeSchema = v.strictObject({ controllers: addresses, registries: addresses });

export function mountControlPlaceRoutes(app: Hono<ControlEnv>, options: ControlPlaceRouteOptions): void {
  const { operators, publisher, place, requireReady, log } = options;
  const path = controllerPaths.controlPlace;
  app.get(path, (context) => {
    operators.require(context, "viewer");
    requireReady();
    return context.json(answerOf(options));
  });
  app.put(path, async (context) => {
    const operator = operators.require(context, "admin");
    requireReady();
    const next = await readBody(context.req.raw, placeSchema);
    requireOwnFirst("controllers", next.controllers, place.now().controllers[0]);
    requireOwnFirst("registries", next.registries, place.now().registries[0]);
    await place.change(next);
    log(`${operator.name} told all machines: controller at ${next.controllers.map(addressText).join(", ")}`);
    publisher.tellAll({ kind: "control-plane", ...next });
    return context.json(answerOf(options));
  });
}

function requireOwnFirst(field: string, [first]: readonly [Address, ...Address[]], own: Address): void {
  if (isSameAddress(first, own)) return;
  throw new Refusal(
    400,
    `Cannot take ${field} that begin with ${addressText(first)}: the first is this control plane's own, ${addressText(own)}`,
  );
}

function answerOf({ publisher, place, members }: ControlPlaceRouteOptions): ControlPlaceAnswer {
  const { controllers, registries } = place.now();
  const knows = (name: string): boolean => {
    const known = publisher.view(name).controllers;
    return controllers.every((each) => isAmong(each, known));
  };
  const machines = members().map((name) => ({
    name,
    connected: publisher.view(name).connected,
    knows: knows(name),
  }));
  return { controllers, registries, machines };
}
