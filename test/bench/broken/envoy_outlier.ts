/** Envoy in front of three instances, as its documentation says: outlier detection on, one retry, at most half ejected. */
import { writeFileSync } from "node:fs";
import { envoyPath, socketAddress } from "../peers/envoy.ts";
import type { Address } from "../peers/peer.ts";

export interface OutlierTimeouts {
  readonly requestMs: number;
  readonly perTryMs: number;
}

/** Writes its configuration; returns its command. */
export function outlierEnvoy(
  folder: string,
  listen: Address,
  instances: readonly Address[],
  { requestMs, perTryMs }: OutlierTimeouts,
): string[] {
  const retry = {
    retry_on: "5xx,reset,connect-failure,refused-stream",
    num_retries: 1,
    per_try_timeout: `${perTryMs / 1_000}s`,
    retry_host_predicate: [
      {
        name: "envoy.retry_host_predicates.previous_hosts",
        typed_config: {
          "@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
        },
      },
    ],
    host_selection_retry_max_attempts: 5,
  };
  const route = { cluster: "next", timeout: `${requestMs / 1_000}s`, retry_policy: retry };
  const types = "type.googleapis.com/envoy.extensions.filters";
  const manager = {
    "@type": `${types}.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: "in",
    route_config: {
      virtual_hosts: [{ name: "all", domains: ["*"], routes: [{ match: { prefix: "/" }, route }] }],
    },
    http_filters: [
      { name: "envoy.filters.http.router", typed_config: { "@type": `${types}.http.router.v3.Router` } },
    ],
  };
  const filters = [{ name: "envoy.filters.network.http_connection_manager", typed_config: manager }];
  const cluster = {
    name: "next",
    type: "STATIC",
    connect_timeout: "1s",
    outlier_detection: { max_ejection_percent: 50 },
    load_assignment: {
      cluster_name: "next",
      endpoints: [
        {
          lb_endpoints: instances.map(({ host, port }) => ({
            endpoint: { address: socketAddress(host, port) },
          })),
        },
      ],
    },
  };
  const listener = {
    name: "in",
    address: socketAddress(listen.host, listen.port),
    filter_chains: [{ filters }],
  };
  const config = `${folder}/envoy.json`;
  writeFileSync(config, JSON.stringify({ static_resources: { listeners: [listener], clusters: [cluster] } }));
  return [
    envoyPath() ?? "envoy",
    "-c",
    config,
    "--concurrency",
    "1",
    "--disable-hot-restart",
    "--log-level",
    "error",
  ];
}
