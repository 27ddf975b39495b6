/**
 * Envoy with one decision by a header that picks the upstream: made by its route table, by its Lua filter, or by an authorizer over HTTP
 * (ext_authz), which is nginx. A request about which nothing was decided is answered 503, so that no load is taken for one that was.
 */
import { writeFileSync } from "node:fs";
import { envoyPath, socketAddress } from "../peers/envoy.ts";
import { nginxCommand, nginxConfig } from "../peers/nginx.ts";
import type { Address } from "../peers/peer.ts";

export type DecidedBy = "routes" | "lua" | "ext_authz";

/** What the load sends, and what a decision leaves for the route table. */
const asked = { name: "x-group", value: "beta" } as const;
const decided = { name: "x-target", value: "chosen" } as const;
export const askedHeader = `${asked.name}:${asked.value}`;

interface Places {
  readonly listen: Address;
  readonly backend: Address;
  readonly authorizer: Address;
}

const types = "type.googleapis.com/envoy.extensions.filters";

const lua = `function envoy_on_request(handle)
  if handle:headers():get("${asked.name}") == "${asked.value}" then
    handle:headers():replace("${decided.name}", "${decided.value}")
  end
end
`;

/** Writes its configuration; returns its command. */
export function decidingEnvoy(folder: string, by: DecidedBy, places: Places): string[] {
  const { name, value } = by === "routes" ? asked : decided;
  const header = { name, string_match: { exact: value } };
  const manager = {
    "@type": `${types}.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: "in",
    route_config: {
      virtual_hosts: [
        {
          name: "all",
          domains: ["*"],
          routes: [
            { match: { prefix: "/", headers: [header] }, route: { cluster: "chosen", timeout: "0s" } },
            { match: { prefix: "/" }, direct_response: { status: 503 } },
          ],
        },
      ],
    },
    http_filters: [
      ...filtersOf(by, places.authorizer),
      { name: "envoy.filters.http.router", typed_config: { "@type": `${types}.http.router.v3.Router` } },
    ],
  };
  const filters = [{ name: "envoy.filters.network.http_connection_manager", typed_config: manager }];
  const { listen } = places;
  const resources = {
    listeners: [
      { name: "in", address: socketAddress(listen.host, listen.port), filter_chains: [{ filters }] },
    ],
    clusters: [clusterOf("chosen", places.backend), clusterOf("authorizer", places.authorizer)],
  };
  const config = `${folder}/envoy-${by}.json`;
  writeFileSync(config, JSON.stringify({ static_resources: resources }));
  const quiet = ["--disable-hot-restart", "--log-level", "error"];
  return [envoyPath() ?? "envoy", "-c", config, "--concurrency", "1", ...quiet];
}

function filtersOf(by: DecidedBy, authorizer: Address): unknown[] {
  if (by === "lua") {
    const typed_config = {
      "@type": `${types}.http.lua.v3.Lua`,
      default_source_code: { inline_string: lua },
      clear_route_cache: true,
    };
    return [{ name: "envoy.filters.http.lua", typed_config }];
  }
  if (by === "routes") return [];
  const uri = `http://${authorizer.host}:${authorizer.port}`;
  const typed_config = {
    "@type": `${types}.http.ext_authz.v3.ExtAuthz`,
    http_service: {
      server_uri: { uri, cluster: "authorizer", timeout: "5s" },
      authorization_response: { allowed_upstream_headers: { patterns: [{ exact: decided.name }] } },
    },
    allowed_headers: { patterns: [{ exact: asked.name }] },
    clear_route_cache: true,
  };
  return [{ name: "envoy.filters.http.ext_authz", typed_config }];
}

function clusterOf(name: string, { host, port }: Address): unknown {
  const many = 1_000_000;
  const thresholds = [
    { max_connections: many, max_pending_requests: many, max_requests: many, max_retries: many },
  ];
  const endpoint = { endpoint: { address: socketAddress(host, port) } };
  return {
    name,
    type: "STATIC",
    connect_timeout: "5s",
    circuit_breakers: { thresholds },
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [endpoint] }] },
  };
}

/** Writes the configuration of the authorizer, in a folder of its own; returns its command. */
export function authorizer(folder: string, { host, port }: Address): string[] {
  const http = `  map $http_${asked.name.replace("-", "_")} $target { ${asked.value} ${decided.value}; default ""; }
  server { listen ${host}:${port}; location / { add_header ${decided.name} $target; return 200; } }
`;
  writeFileSync(`${folder}/nginx.conf`, nginxConfig(folder, http));
  return nginxCommand(folder);
}
