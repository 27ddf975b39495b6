/** What the published mesh cases of the Gateway API ask of an implementation: requests, and what is to become of them. `ORIGIN.md` says whence. */

export interface Vector {
  readonly path: string;
  readonly host?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The service that answers; none: heddle does. */
  readonly backend?: string;
  /** Default: 200. */
  readonly status?: number;
  readonly location?: string;
  /** What the app is asked for: default as it was. */
  readonly appPath?: string;
  /** Fields at the app, several of one name joined; null: none of that name. */
  readonly appHeaders?: Readonly<Record<string, string | null>>;
  /** The same of the answer. */
  readonly answerHeaders?: Readonly<Record<string, string | null>>;
  /** Who calls; default: a client in the namespace of the service. */
  readonly from?: string;
  /** Whom it calls; default: `echo`. */
  readonly to?: string;
  /** Of the services; default: 80. */
  readonly port?: number;
}

const at = (path: string, backend: string, more: Partial<Vector> = {}): Vector => ({
  path,
  backend,
  ...more,
});
const none = (path: string, headers: Vector["headers"] = {}): Vector => ({ path, headers, status: 404 });
const to = (path: string, location: string, status = 302): Vector => ({ path, location, status });

/** A call of gRPC as the request that it is to routes. Their cases are asked so: what gRPC does beside is held by other tests. */
export const grpcCall = {
  path: "/gateway_api_conformance.echo_basic.grpcecho.GrpcEcho/Echo",
  ...{ method: "POST", port: 7070 },
} as const;

const withMetadata = (
  test: string,
  backend: string,
  headers: Readonly<Record<string, string>>,
  appHeaders: NonNullable<Vector["appHeaders"]>,
): Vector => ({ ...grpcCall, backend, headers: { "x-test-case": test, ...headers }, appHeaders });

const changedHeaders: readonly Vector[] = [
  at("/set", "echo-v1", {
    headers: { "Some-Other-Header": "val" },
    appHeaders: { "some-other-header": "val", "x-header-set": "set-overwrites-values" },
  }),
  at("/set", "echo-v1", {
    headers: { "X-Header-Set": "old" },
    appHeaders: { "x-header-set": "set-overwrites-values" },
  }),
  at("/add", "echo-v1", { appHeaders: { "x-header-add": "add-appends-values" } }),
  at("/add", "echo-v1", {
    headers: { "X-Header-Add": "some-other-value" },
    appHeaders: { "x-header-add": "some-other-value,add-appends-values" },
  }),
  at("/remove", "echo-v1", {
    headers: { "X-Header-Remove": "val" },
    appHeaders: { "x-header-remove": null },
  }),
  at("/multiple", "echo-v1", {
    headers: {
      "X-Header-Set-2": "old",
      "X-Header-Add-2": "add-val-2",
      "X-Header-Remove-2": "val",
      "Another-Header": "kept",
    },
    appHeaders: {
      ...{
        "x-header-set-1": "header-set-1",
        "x-header-set-2": "header-set-2",
        "x-header-add-1": "header-add-1",
      },
      ...{
        "x-header-add-2": "add-val-2,header-add-2",
        "x-header-add-3": "header-add-3",
        "another-header": "kept",
      },
      ...{ "x-header-remove-1": null, "x-header-remove-2": null },
    },
  }),
  at("/case-insensitivity", "echo-v1", {
    headers: {
      "x-header-set": "old",
      "x-header-add": "one",
      "x-header-remove": "val",
      "Another-Header": "kept",
    },
    appHeaders: {
      "x-header-set": "header-set",
      "x-header-add": "one,header-add",
      "x-header-remove": null,
      "another-header": "kept",
    },
  }),
];

const rewritten = {
  headers: {
    "X-Header-Remove": "remove-val",
    "X-Header-Add-Append": "append-val-1",
    "X-Header-Set": "set-val",
  },
  appHeaders: {
    ...{ "x-header-add": "header-val-1", "x-header-add-append": "append-val-1,header-val-2" },
    ...{ "x-header-set": "set-overwrites-values", "x-header-remove": null },
  },
};

/** By the name of the document. */
export const vectors: Readonly<Record<string, readonly Vector[]>> = {
  "httproute-simple-same-namespace": [at("/", "echo-v1")],
  "httproute-matching": [
    ...[at("/", "echo-v1"), at("/example", "echo-v1"), at("/", "echo-v1", { headers: { Version: "one" } })],
    ...[
      at("/v2", "echo-v2"),
      at("/v2/example", "echo-v2"),
      at("/", "echo-v2", { headers: { Version: "two" } }),
    ],
    ...[at("/v2/", "echo-v2"), at("/v2example", "echo-v1"), at("/foo/v2/example", "echo-v1")],
  ],
  "httproute-query-param-matching": [
    ...[at("/?animal=whale", "echo-v1"), at("/?animal=dolphin", "echo-v2")],
    ...[
      at("/?animal=whale&otherparam=irrelevant", "echo-v1"),
      at("/?animal=dolphin&color=yellow", "echo-v2"),
    ],
    ...[none("/?color=blue"), none("/?animal=dog"), none("/?animal=whaledolphin"), none("/")],
    ...[
      at("/path1?animal=whale", "echo-v1"),
      at("/?animal=whale", "echo-v2", { headers: { version: "one" } }),
    ],
    ...[
      at("/path3?animal=shark", "echo-v1"),
      at("/path4?animal=kraken", "echo-v1", { headers: { version: "three" } }),
    ],
    ...[none("/?animal=shark"), none("/path4?animal=kraken"), at("/path5?animal=hydra", "echo-v1")],
  ],
  "httproute-named-rule": [at("/named", "echo-v1"), at("/unnamed", "echo-v2")],
  "httproute-request-header-modifier": changedHeaders,
  "httproute-request-header-modifier-backend": changedHeaders,
  "grpcroute-request-header-modifier": [
    withMetadata("set", "echo-v1", {}, { "x-header-set": "set-overwrites-values" }),
    withMetadata("set", "echo-v1", { "x-header-set": "old" }, { "x-header-set": "set-overwrites-values" }),
    withMetadata("add", "echo-v1", { "x-header-add": "one" }, { "x-header-add": "one,add-appends-values" }),
    withMetadata("remove", "echo-v1", { "x-header-remove": "val" }, { "x-header-remove": null }),
    withMetadata(
      "multi",
      "echo-v2",
      {
        "x-header-set-2": "old",
        "x-header-add-2": "one",
        "x-header-remove-1": "val",
        "x-header-remove-2": "val",
      },
      {
        ...{ "x-header-set-1": "header-set-1", "x-header-set-2": "header-set-2" },
        ...{ "x-header-add-1": "header-add-1", "x-header-add-2": "one,header-add-2" },
        ...{ "x-header-remove-1": null, "x-header-remove-2": null },
      },
    ),
  ],
  "httproute-rewrite-path": [
    ...[
      at("/prefix/one/two", "echo-v1", { appPath: "/one/two" }),
      at("/strip-prefix/three", "echo-v1", { appPath: "/three" }),
    ],
    ...[
      at("/strip-prefix", "echo-v1", { appPath: "/" }),
      at("/full/one/two", "echo-v1", { appPath: "/one" }),
    ],
    at("/full/rewrite-path-and-modify-headers/test", "echo-v1", { ...rewritten, appPath: "/test" }),
    at("/prefix/rewrite-path-and-modify-headers/one", "echo-v1", { ...rewritten, appPath: "/prefix/one" }),
  ],
  "httproute-redirect-path": [
    to("/original-prefix/lemon", "http://echo/replacement-prefix/lemon"),
    to("/full/path/original", "http://echo/full-path-replacement"),
    to("/path-and-host", "http://example.org/replacement-prefix"),
    to("/path-and-status", "http://echo/replacement-prefix", 301),
    to("/full-path-and-host", "http://example.org/replacement-full"),
    to("/full-path-and-status", "http://echo/replacement-full", 301),
  ],
  "httproute-redirect-port": [
    to("/port", "http://echo:8083/port"),
    to("/port-and-host", "http://example.org:8083/port-and-host"),
    to("/port-and-status", "http://echo:8083/port-and-status", 301),
    to("/port-and-host-and-status", "http://example.org:8083/port-and-host-and-status"),
  ],
  "httproute-redirect-scheme": [
    to("/scheme", "https://echo/scheme"),
    to("/scheme-and-host", "https://example.org/scheme-and-host"),
    to("/scheme-and-status", "https://echo/scheme-and-status", 301),
    to("/scheme-and-host-and-status", "https://example.org/scheme-and-host-and-status"),
  ],
  "httproute-redirect-host-and-status": [
    to("/hostname-redirect", "http://example.org/hostname-redirect"),
    to("/host-and-status", "http://example.org/host-and-status", 301),
  ],
  "httproute-303-redirect": [to("/redirect", "http://echo/redirect", 303)],
  "httproute-307-redirect": [to("/temporary", "http://echo/temporary", 307)],
  "httproute-308-redirect": [to("/permanent", "http://echo/permanent", 308)],
  "mesh-split": [at("/v1", "echo-v1"), at("/v2", "echo-v2")],
  "mesh-frontend": [
    at("/", "echo-v2", { to: "echo-v2", answerHeaders: { "x-header-set": "set" } }),
    at("/", "echo-v2", { to: "echo-v2", host: "foreign.example", answerHeaders: { "x-header-set": "set" } }),
  ],
  "mesh-ports": [
    ...[80, 8080].map((port) =>
      at("/", "echo-v1", {
        to: "echo-v1",
        port,
        answerHeaders: { "x-header-set": port === 80 ? "v1" : null },
      }),
    ),
    ...[80, 8080].map((port) =>
      at("/", "echo-v2", { to: "echo-v2", port, answerHeaders: { "x-header-set": "v2" } }),
    ),
  ],
  "mesh-consumer-route": [
    at("/", "echo-v1", { to: "echo-v1", from: "consumer", answerHeaders: { "x-header-set": "set" } }),
    at("/", "echo-v1", { to: "echo-v1", answerHeaders: { "x-header-set": null } }),
  ],
};

/** By weight: each backend's part of many requests. */
export const weights: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  "httproute-weight": { "echo-v1": 0.7, "echo-v2": 0.3 },
  "grpcroute-weight": { "echo-v1": 0.7, "echo-v2": 0.3 },
};
