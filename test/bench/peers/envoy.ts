/** Envoy: `--concurrency 1`, circuit breakers raised (1024 answers 503 at load), no route timeout, TLS 1.3 upstream. */
import { existsSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { works, type Wire } from "../works.ts";
import type { Address, CertificateFiles, Peer, PeerContext, Role } from "./peer.ts";

/** Where install_peers.sh leaves it; ENVOY names another. */
const places = [process.env["ENVOY"], `${process.env["HOME"]}/.cache/heddle-peers/envoy/_bin/envoy`];

export const envoy: Peer = peerOf(null);

/** With its OpenTelemetry tracer, of every request, by OTLP/HTTP to `receiver`. */
export function tracedEnvoy(receiver: Address): Peer {
  return peerOf(receiver);
}

function peerOf(receiver: Address | null): Peer {
  return {
    name: "Envoy",
    works,
    version() {
      const path = envoyPath();
      if (path === null) return null;
      const answer = spawnSync(path, ["--version"], { encoding: "utf8" });
      return answer.status === 0 ? (/\/(\d+\.\d+\.\d+)/.exec(answer.stdout)?.[1] ?? "?") : null;
    },
    configure(context, role) {
      const config = `${role.folder}/envoy.json`;
      writeFileSync(config, JSON.stringify(configOf(context, role, receiver)));
      const quiet = ["--disable-hot-restart", "--log-level", "error"];
      return [envoyPath() ?? "envoy", "-c", config, "--concurrency", "1", ...quiet];
    },
  };
}

export function envoyPath(): string | null {
  return places.find((path) => path !== undefined && existsSync(path)) ?? Bun.which("envoy");
}

function configOf(context: PeerContext, role: Role, receiver: Address | null): unknown {
  return {
    static_resources: {
      listeners: [
        {
          name: "in",
          address: socketAddress(context.address, role.port),
          filter_chains: [
            {
              filters: [role.from === "tcp" ? tcpFilter() : httpFilter(role.from, receiver)],
              ...(role.tlsIn === "none" ? {} : { transport_socket: tlsIn(context, role) }),
            },
          ],
        },
      ],
      clusters: [clusterOf(context, role), ...(receiver === null ? [] : [receiverCluster(receiver)])],
    },
  };
}

export function socketAddress(address: string, port: number): unknown {
  return { socket_address: { address, port_value: port } };
}

const types = "type.googleapis.com/envoy.extensions";

function receiverCluster({ host, port }: Address): unknown {
  const endpoint = { endpoint: { address: socketAddress(host, port) } };
  return {
    name: "receiver",
    type: "STATIC",
    connect_timeout: "5s",
    load_assignment: { cluster_name: "receiver", endpoints: [{ lb_endpoints: [endpoint] }] },
  };
}

function tracing({ host, port }: Address): unknown {
  return {
    random_sampling: { value: 100 },
    provider: {
      name: "envoy.tracers.opentelemetry",
      typed_config: {
        "@type": "type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig",
        http_service: {
          http_uri: { uri: `http://${host}:${port}/v1/traces`, cluster: "receiver", timeout: "5s" },
        },
        service_name: "envoy",
      },
    },
  };
}

function httpFilter(wire: Wire, receiver: Address | null): unknown {
  return {
    name: "envoy.filters.network.http_connection_manager",
    typed_config: {
      "@type": `${types}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix: "in",
      codec_type: wire === "http2" ? "HTTP2" : "HTTP1",
      ...(receiver === null ? {} : { tracing: tracing(receiver) }),
      route_config: {
        virtual_hosts: [
          {
            name: "all",
            domains: ["*"],
            routes: [{ match: { prefix: "/" }, route: { cluster: "next", timeout: "0s" } }],
          },
        ],
      },
      http_filters: [
        {
          name: "envoy.filters.http.router",
          typed_config: { "@type": `${types}.filters.http.router.v3.Router` },
        },
      ],
    },
  };
}

function tcpFilter(): unknown {
  return {
    name: "envoy.filters.network.tcp_proxy",
    typed_config: {
      "@type": `${types}.filters.network.tcp_proxy.v3.TcpProxy`,
      stat_prefix: "in",
      cluster: "next",
    },
  };
}

function clusterOf(context: PeerContext, role: Role): unknown {
  const many = 1_000_000;
  const thresholds = [
    { max_connections: many, max_pending_requests: many, max_requests: many, max_retries: many },
  ];
  return {
    name: "next",
    type: "STATIC",
    connect_timeout: "5s",
    circuit_breakers: { thresholds },
    load_assignment: {
      cluster_name: "next",
      endpoints: [{ lb_endpoints: [{ endpoint: { address: socketAddress(role.to.host, role.to.port) } }] }],
    },
    ...(role.towards === "http2" ? { typed_extension_protocol_options: upstreamHttp2() } : {}),
    ...(role.tlsOut === "none" ? {} : { transport_socket: tlsOut(context, role) }),
  };
}

function upstreamHttp2(): unknown {
  return {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
      "@type": `${types}.upstreams.http.v3.HttpProtocolOptions`,
      explicit_http_config: { http2_protocol_options: {} },
    },
  };
}

function tlsOut({ certificates: { root, client, server } }: PeerContext, { towards }: Role): unknown {
  return {
    name: "envoy.transport_sockets.tls",
    typed_config: {
      "@type": `${types}.transport_sockets.tls.v3.UpstreamTlsContext`,
      sni: server.name,
      common_tls_context: common(client, towards, {
        trusted_ca: { filename: root },
        match_typed_subject_alt_names: [{ san_type: "DNS", matcher: { exact: server.name } }],
      }),
    },
  };
}

function tlsIn({ certificates: { root, server } }: PeerContext, role: Role): unknown {
  const isMutual = role.tlsIn === "mutual";
  return {
    name: "envoy.transport_sockets.tls",
    typed_config: {
      "@type": `${types}.transport_sockets.tls.v3.DownstreamTlsContext`,
      require_client_certificate: isMutual,
      common_tls_context: common(server, role.from, isMutual ? { trusted_ca: { filename: root } } : {}),
    },
  };
}

function common(leaf: CertificateFiles, wire: Wire, validation_context: unknown): unknown {
  return {
    ...(wire === "http2" ? { alpn_protocols: ["h2"] } : {}),
    tls_params: { tls_minimum_protocol_version: "TLSv1_3", tls_maximum_protocol_version: "TLSv1_3" },
    tls_certificates: [{ certificate_chain: { filename: leaf.chain }, private_key: { filename: leaf.key } }],
    validation_context,
  };
}
