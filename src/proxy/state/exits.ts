/**
 * External services that gateways of this machine lead to: what stands outside is an app of the service, so that callers meet its rules
 * here, by their own identity, as before any other service; they are shown the certificate of the gateway.
 */
import { serviceKey } from "../../model/service.ts";
import type { Exit } from "../../model/snapshot.ts";
import type { ExternalApps, Here } from "./external_apps.ts";
import type { InboundService } from "./live_service.ts";

/** By the key of the service, then by the id of what stands outside. */
export type Exits = ReadonlyMap<string, ReadonlyMap<string, Here>>;

/** `before`: of the state before, whose connections go on. */
export function liveExits(
  exits: readonly Exit[],
  before: Exits | undefined,
  externals: Pick<ExternalApps, "here">,
): Exits {
  return new Map(
    exits.map(({ destination }) => {
      const key = serviceKey(destination.service);
      const known = before?.get(key);
      const all = destination.endpoints.map(
        (each) => [each.id, externals.here(destination, each, known?.get(each.id) ?? null)] as const,
      );
      return [key, new Map(all)];
    }),
  );
}

/** As callers meet it; null while nothing is known of where it stands. */
export function exitService({ gateway, destination }: Exit, exits: Exits): InboundService | null {
  const all = [...(exits.get(serviceKey(destination.service))?.values() ?? [])];
  const [first] = all;
  if (first === undefined) return null;
  return { ...first.service, apps: all.map(({ app }) => app), shows: serviceKey(gateway) };
}
