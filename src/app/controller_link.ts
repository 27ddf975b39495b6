/** The proxy's way to the controller, as the node of this machine or with no certificate at all. */
import type { Runtime } from "../../runtime/contract.ts";
import type { ControlClient } from "../api/control.ts";
import { createControlClient } from "../api/control_client.ts";
import type { ServerAddresses } from "../api/server_list.ts";
import { Shard } from "../http/shard.ts";
import type { CredentialStore } from "../identity/credential_store.ts";
import { principalOf } from "../identity/spiffe_id.ts";
import type { Settings } from "./settings.ts";

type LinkHost = Pick<Runtime, "net" | "clock">;

/** Whose controller, and where. */
export interface Where {
  readonly trustDomain: string;
  readonly controllers: ServerAddresses;
}

/** As the node. */
export function controllerAsNode(host: LinkHost, where: Where, store: CredentialStore): ControlClient {
  return link(host, where, () => ({
    credential: store.node?.tls ?? null,
    rootsPem: store.bundle?.rootsPem ?? [],
  }));
}

/** Without a certificate: ours has ended, only the node's key speaks for it. */
export function controllerAsStranger(host: LinkHost, where: Where, store: CredentialStore): ControlClient {
  return link(host, where, () => ({ credential: null, rootsPem: store.bundle?.rootsPem ?? [] }));
}

/** Whoever answers there: for what is only compared, never trusted. */
export function controllerUnverified(host: LinkHost, settings: Settings): ControlClient {
  return createControlClient({
    ...hostOf(host),
    servers: settings.controllers,
    identity: () => ({ credential: null, rootsPem: [] }),
    expect: () => true,
    serverName: "controller.heddle",
    unverified: true,
  });
}

/** The registry, as the node. */
export function registryAsNode(host: LinkHost, settings: Settings, store: CredentialStore): ControlClient {
  return createControlClient({
    ...hostOf(host),
    servers: settings.registries,
    identity: () => ({ credential: store.node?.tls ?? null, rootsPem: store.bundle?.rootsPem ?? [] }),
    expect: (id) => principalOf(id, settings.trustDomain)?.kind === "registry",
    serverName: "registry.heddle",
  });
}

function link(
  host: LinkHost,
  { trustDomain, controllers: servers }: Where,
  identity: () => { credential: { chainPem: string; keyPem: string } | null; rootsPem: readonly string[] },
): ControlClient {
  return createControlClient({
    ...hostOf(host),
    servers,
    identity,
    expect: (id) => principalOf(id, trustDomain)?.kind === "controller",
    serverName: "controller.heddle",
  });
}

function hostOf({ net, clock }: LinkHost) {
  return { net, clock, shard: new Shard(clock) };
}
