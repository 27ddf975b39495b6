/** A way out of one local service, or of nobody, whose calls are refused. It may lead to one service only. */
import { failure, success, type Result } from "../../base/result.ts";
import { socketAddress } from "../../base/socket_address.ts";
import { httpAlpn, outboundTls, sharedAlpn } from "../../identity/tls_options.ts";
import type { Outcome } from "../../model/outcome.ts";
import { appPortOf, defaultNamespace, serviceKey, type ServiceName } from "../../model/service.ts";
import type { Net, TlsClientOptions } from "../../../runtime/contract.ts";
import { poolBounds, poolTimes } from "./bounds.ts";
import type { Caller, LiveDestination, LiveEndpoint } from "./live_service.ts";
import { outcomes } from "../failure/outcomes.ts";
import type { Forget } from "../find/discovery.ts";
import { meshService } from "../find/mesh_name.ts";
import type { ProxyParts } from "./proxy_parts.ts";
import type { ProxyState } from "./state.ts";
import { Pool } from "../upstream/pool.ts";
import { http1Upstream, meshUpstream } from "../upstream/upstream_protocol.ts";

/** Names that are remembered with what they led to; more are looked up each time. */
const namesMax = 1_000;

/** No key of a service, which has a dot. */
const unknownService = "unknown";

/** Hears which service a call means: at once, or later where `waits` was told. Exactly one of the other two is called. */
export interface Seeker {
  /** All three as `state` has them, which decides everything about the call. */
  found(called: LiveDestination, caller: Caller, state: ProxyState): void;
  refuse(outcome: Outcome): void;
  /** Word of the service is awaited; `service` is what records call it meanwhile. */
  waits(service: string): void;
}

/** Streams of shared connections, or connections that take one request at a time. */
export type PoolKind = "shared" | "http/1.1";

/** The local service, or why it is none. */
export interface CallingService {
  readonly service: ServiceName | null;
  readonly refusal: Outcome | null;
}

export class OutboundSource {
  /** Of the calling service; "" for nobody. */
  readonly key: string;
  #state: ProxyState | null = null;
  #caller: Caller | null = null;
  readonly #byAuthority = new Map<string, LiveDestination>();

  constructor(
    readonly parts: ProxyParts,
    readonly who: CallingService,
    /** The one service that it leads to; null: requests say which. */
    readonly only: ServiceName | null,
    /** What goes out here are requests of policies. */
    readonly ofPolicies = false,
    /** Its clients are no services, but come in from outside of the mesh. */
    readonly outside = false,
  ) {
    this.key = who.service === null ? "" : serviceKey(who.service);
  }

  /** Who calls; null when this machine may not act as that service. */
  callerIn(state: ProxyState): Caller | null {
    if (state !== this.#state) this.#renew(state);
    return this.#caller;
  }

  /** Why there is no caller. */
  nobody(): Outcome {
    return this.who.refusal ?? outcomes.noIdentity(this.key);
  }

  /** Finds the service that an authority means. Returns what ends the wait, where word of the service has to be awaited. */
  seek(authority: string, seeker: Seeker): Forget | null {
    const { state } = this.parts;
    const caller = state === null ? null : this.callerIn(state);
    if (state === null || caller === null) {
      seeker.refuse(state === null ? outcomes.noSnapshot() : this.nobody());
      return null;
    }
    const known = this.#byAuthority.get(authority) ?? this.#look(state, authority);
    if (known === null) seeker.refuse(outcomes.noName(authority));
    else if ("name" in known) return this.#await(serviceKey(known), seeker);
    else seeker.found(known, caller, state);
    return null;
  }

  /** The service, its name while it is not known, null when it can be none. */
  #look(state: ProxyState, authority: string): LiveDestination | ServiceName | null {
    const name = this.only ?? meshService(authority, this.who.service?.namespace ?? defaultNamespace);
    if (name === null) return null;
    const found = state.destinations.get(serviceKey(name));
    if (found === undefined) return name;
    if (this.#byAuthority.size < namesMax) this.#byAuthority.set(authority, found);
    return found;
  }

  /** The state that has the service decides all. */
  #await(key: string, seeker: Seeker): Forget | null {
    const { parts } = this;
    // Names that apps make up are no labels.
    seeker.waits(this.only === null ? unknownService : key);
    return parts.discovery.find(key, this.key, (absence) => {
      const { state } = parts;
      const found = absence === null ? state?.destinations.get(key) : undefined;
      if (state === null || found === undefined) return seeker.refuse(absence ?? outcomes.noService(key));
      const caller = this.callerIn(state);
      if (caller === null) seeker.refuse(this.nobody());
      else seeker.found(found, caller, state);
    });
  }

  /** Connections of this caller to that endpoint. */
  poolOf(destination: LiveDestination, endpoint: LiveEndpoint, kind: PoolKind): Pool {
    const pools = endpoint.pools[kind];
    const known = pools.get(this.key);
    if (known !== undefined) return known;
    const { shard, recorder, open } = this.parts;
    const { id, address, port } = endpoint.endpoint;
    const pool = new Pool({
      net: this.wayTo(endpoint),
      shard,
      host: address,
      port,
      times: poolTimes(destination.declared.traffic),
      name: `${destination.key} ${id} ${socketAddress(address, port)} ${kind} ${this.key}`,
      peer: peerText(destination, endpoint),
      protocol: kind === "shared" ? meshUpstream : http1Upstream,
      tls: () => this.tls(destination, endpoint, kind === "shared" ? sharedAlpn : httpAlpn),
      onLimit: (limit) => recorder.limitTripped(limit, `outbound ${this.key} to ${id}`),
      open,
      room: destination.room,
    });
    pool.bound(poolBounds(destination.declared.traffic));
    pools.set(this.key, pool);
    return pool;
  }

  /** A straight one, or by gateways of its network. */
  wayTo({ site }: LiveEndpoint): Pick<Net, "connect"> {
    return site === null ? this.parts.net : this.parts.sites.to(site);
  }

  /** How to prove who we are and check whom we meet. */
  tls({ declared }: LiveDestination, { serverName }: LiveEndpoint, alpn: string): Result<TlsClientOptions> {
    const { credentials } = this.parts;
    const credential = credentials.of(this.key);
    if (credential === null) return failure(`this machine holds no valid certificate of ${this.key}`);
    const { spiffeId } = declared;
    return success(outboundTls(credential, credentials.trust(), { spiffeId, serverName, alpn }));
  }

  #renew(state: ProxyState): void {
    this.#state = state;
    this.#byAuthority.clear();
    const spiffeId = state.locals.get(this.key)?.local.spiffeId;
    this.#caller = spiffeId === undefined ? null : { key: this.key, spiffeId };
  }
}

export function peerText(destination: LiveDestination, endpoint: LiveEndpoint): string {
  const { id, node, address, port, apart } = endpoint.endpoint;
  const which = apart === true ? `:${appPortOf(id)}` : "";
  return `${destination.key}${which} on ${node} (${socketAddress(address, port)})`;
}
