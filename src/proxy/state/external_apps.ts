/**
 * Services outside of the mesh, as the caller's own proxy reaches them: each endpoint is an app of this machine that happens to stand
 * elsewhere. So calls to it meet the same rules and limits as those to an app, and TLS is made on the way out.
 */
import { X509Certificate } from "node:crypto";
import { failure, success, type Result } from "../../base/result.ts";
import { socketAddress } from "../../base/socket_address.ts";
import type { Files, Net, TlsClientOptions } from "../../../runtime/contract.ts";
import type { Shard } from "../../http/shard.ts";
import { httpAlpn, sharedAlpn } from "../../identity/tls_options.ts";
import type { ExternalTls } from "../../model/external.ts";
import { limits } from "../../model/limits.ts";
import { serviceKey } from "../../model/service.ts";
import type { Destination, Endpoint, LocalService } from "../../model/snapshot.ts";
import type { Recorder } from "../../telemetry/record.ts";
import { OpenStreams } from "../answer/open_streams.ts";
import { ConnectionRoom } from "../upstream/connection_room.ts";
import { Pool } from "../upstream/pool.ts";
import { appHttp2Upstream, http1Upstream, type UpstreamProtocol } from "../upstream/upstream_protocol.ts";
import type { LiveEndpoint, LocalApp } from "./live_service.ts";

/** Where systems keep the roots that they trust: Debian and Ubuntu, Fedora and RHEL, Alpine and openSUSE. */
const rootFiles: readonly string[] = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/cert.pem",
  "/etc/ssl/ca-bundle.pem",
];

export type Here = NonNullable<LiveEndpoint["here"]>;

export class ExternalApps {
  #systemRoots: readonly string[] | null = null;
  /** By what they are made of: contexts of TLS are kept by identity. */
  readonly #tls = new Map<string, TlsClientOptions>();

  constructor(
    readonly parts: { readonly net: Net; readonly shard: Shard; readonly recorder: Recorder },
    /** Absent: roots of this machine cannot be read. */
    readonly files: Pick<Files, "readSync"> | undefined,
  ) {}

  /** `before`: what it was in the state before, which goes on where nothing of it changed. */
  here(destination: Destination, endpoint: Endpoint, before: Here | null): Here {
    const local = localOf(destination);
    const { host = "", tls } = destination.external ?? {};
    const same =
      before !== null && JSON.stringify(before.app.outside?.made) === JSON.stringify({ host, tls });
    const app = same ? before.app : this.#appOf(destination, endpoint);
    const streams = before?.service.streams ?? new OpenStreams();
    return { service: { key: serviceKey(local.service), local, apps: [app], streams, limits: null }, app };
  }

  #appOf({ service, external }: Destination, { id, address, port }: Endpoint): LocalApp {
    const key = serviceKey(service);
    const { net, shard, recorder } = this.parts;
    const { host = "", tls } = external ?? {};
    const room = new ConnectionRoom(shard, `external ${key} ${id}`);
    const secured = tls === undefined ? null : (alpn: string) => this.#tlsOf(tls, alpn);
    const poolOf = (version: string, protocol: UpstreamProtocol, alpn: string): Pool =>
      new Pool({
        ...{ net, shard, host: address, port, protocol, room },
        times: { connectMs: limits.passThroughConnectMs, handshakeMs: null, idleMs: null },
        name: `external ${key} ${id} ${version}`,
        peer: `${key} outside of the mesh, at ${socketAddress(address, port)}`,
        tls: secured === null ? null : () => secured(alpn),
        onLimit: (limit) => recorder.limitTripped(limit, `external ${key}`),
      });
    return {
      ...{ id, host: address, port, proxyProtocol: null, room },
      pools: {
        "http/1.1": poolOf("http/1.1", http1Upstream, httpAlpn),
        h2: poolOf("h2", appHttp2Upstream, sharedAlpn),
      },
      outside: { host, tls: secured, made: { host, tls } },
    };
  }

  #tlsOf({ serverName, caPem }: ExternalTls, alpn: string): Result<TlsClientOptions> {
    const key = JSON.stringify([serverName, caPem, alpn]);
    const known = this.#tls.get(key);
    if (known !== undefined) return success(known);
    const trustPem = caPem === undefined ? this.#rootsOfMachine() : [caPem];
    if (trustPem === null)
      return failure(`this machine has no roots that it trusts (${rootFiles.join(", ")}): say tls.ca`);
    const made: TlsClientOptions = {
      ...{ trustPem, serverName, verify: "chain", alpn: alpn === "" ? [] : [alpn] },
      handshakeTimeoutMs: limits.tlsHandshakeMs,
      accept: ({ peer, alpn: agreed }) => {
        if (alpn === sharedAlpn && agreed !== sharedAlpn) return "it does not speak HTTP/2";
        const named = peer !== null && new X509Certificate(peer.der).checkHost(serverName) !== undefined;
        return named ? null : `its certificate does not name ${serverName}`;
      },
    };
    this.#tls.set(key, made);
    return success(made);
  }

  #rootsOfMachine(): readonly string[] | null {
    if (this.#systemRoots !== null) return this.#systemRoots;
    for (const path of rootFiles) {
      const bytes = readOrNull(() => this.files?.readSync(path) ?? null);
      if (bytes !== null) return (this.#systemRoots = [new TextDecoder().decode(bytes)]);
    }
    return null;
  }
}

function readOrNull(read: () => Uint8Array | null): Uint8Array | null {
  try {
    return read();
  } catch {
    return null;
  }
}

/** As its callers' own proxies judge who may call it. Without rules that were compiled nobody may. */
function localOf(destination: Destination): LocalService {
  const { service, spiffeId, protocol, stream, escapedSlashes, externalAccess } = destination;
  return {
    ...{ service, spiffeId, protocol, stream, escapedSlashes, health: null },
    access: externalAccess ?? { otherwise: "deny", deny: [], allow: [] },
  };
}
