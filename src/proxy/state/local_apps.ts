/** The apps of this machine, each with the connections to it. */
import { socketAddress } from "../../base/socket_address.ts";
import type { MachineService } from "../../model/document.ts";
import { limits } from "../../model/limits.ts";
import { instanceId, serviceKey } from "../../model/service.ts";
import type { LocalApp } from "./live_service.ts";
import type { ProxyParts } from "./proxy_parts.ts";
import { ConnectionRoom } from "../upstream/connection_room.ts";
import { Pool } from "../upstream/pool.ts";
import { appHttp2Upstream, http1Upstream, type UpstreamProtocol } from "../upstream/upstream_protocol.ts";

/** By service key. `node` begins the instance ids. Those of `before` that are the same go on as they are. */
export function localApps(
  services: readonly MachineService[],
  node: string,
  parts: Pick<ProxyParts, "net" | "shard" | "recorder">,
  before: ReadonlyMap<string, readonly LocalApp[]> = new Map(),
): ReadonlyMap<string, readonly LocalApp[]> {
  const byService = new Map<string, LocalApp[]>();
  for (const service of services) {
    const key = serviceKey(service.service);
    const apps = byService.get(key) ?? [];
    const known = before.get(key) ?? [];
    const room = [...apps, ...known][0]?.room ?? new ConnectionRoom(parts.shard, `apps ${key}`);
    const app = known.find((each) => isOf(each, service)) ?? localApp(service, node, room, parts);
    byService.set(key, [...apps, app]);
  }
  return byService;
}

function isOf({ host, port, proxyProtocol }: LocalApp, service: MachineService): boolean {
  return host === service.host && port === service.port && proxyProtocol === service.proxyProtocol;
}

function localApp(
  service: MachineService,
  node: string,
  room: ConnectionRoom,
  parts: Pick<ProxyParts, "net" | "shard" | "recorder">,
): LocalApp {
  const { net, shard, recorder } = parts;
  const { host, port } = service;
  const key = serviceKey(service.service);
  const poolOf = (version: string, protocol: UpstreamProtocol): Pool =>
    new Pool({
      net,
      shard,
      host,
      port,
      times: { connectMs: limits.connectLocalMs, handshakeMs: null, idleMs: null },
      name: `app ${key} ${socketAddress(host, port)} ${version}`,
      peer: `the app of ${key} at ${socketAddress(host, port)}`,
      protocol,
      tls: null,
      onLimit: (limit) => recorder.limitTripped(limit, `inbound ${key}`),
      room,
    });
  return {
    id: instanceId(node, service),
    host,
    port,
    proxyProtocol: service.proxyProtocol,
    pools: { "http/1.1": poolOf("http/1.1", http1Upstream), h2: poolOf("h2", appHttp2Upstream) },
    room,
  };
}
