/** What the published cases of gateways ask of an implementation: requests from outside, and what is to become of them. `ORIGIN.md` says whence. */

export interface EdgeVector {
  readonly path: string;
  readonly host?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Default: 80. */
  readonly port?: number;
  /** The service that answers; none: heddle does. */
  readonly backend?: string;
  /** Default: 200, or 404 without a backend. */
  readonly status?: number;
  readonly location?: string;
  /** What the app is asked for: default as it was. */
  readonly appPath?: string;
  readonly appHost?: string;
  /** Default: `same-namespace`. */
  readonly gateway?: string;
}

type Backend = "v1" | "v2" | "v3";

const at = (path: string, backend: Backend, more: Partial<EdgeVector> = {}): EdgeVector => ({
  ...{ path, backend: `infra-backend-${backend}` },
  ...more,
});
const none = (path: string, more: Partial<EdgeVector> = {}): EdgeVector => ({ path, ...more });
const to = (path: string, location: string, status = 302): EdgeVector => ({ path, location, status });
const fields = (headers: EdgeVector["headers"] = {}): Partial<EdgeVector> => ({ headers });

const shared = (
  gateway: string,
  hosts: readonly (readonly [string, string, Backend | null])[],
): EdgeVector[] =>
  hosts.map(([host, path, backend]) =>
    backend === null ? none(path, { host, gateway }) : at(path, backend, { host, gateway }),
  );

/** By the name of the document. */
export const edgeVectors: Readonly<Record<string, readonly EdgeVector[]>> = {
  "httproute-simple-same-namespace": [at("/", "v1")],
  "httproute-matching": [
    ...[at("/", "v1"), at("/example", "v1"), at("/", "v1", fields({ version: "one" }))],
    ...[at("/v2", "v2"), at("/v2/example", "v2"), at("/", "v2", fields({ version: "two" }))],
    ...[at("/v2/", "v2"), at("/v2example", "v1"), at("/foo/v2/example", "v1")],
  ],
  "httproute-exact-path-matching": [
    ...[at("/one", "v1"), at("/two", "v2")],
    ...["/", "/one/example", "/two/", "/Two"].map((path) => none(path)),
  ],
  "httproute-header-matching": [
    ...[at("/", "v1", fields({ version: "one" })), at("/", "v2", fields({ version: "two" }))],
    at("/", "v1", fields({ version: "two", color: "orange" })),
    ...["blue", "green"].map((color) => at("/", "v1", fields({ color }))),
    ...["red", "yellow"].map((color) => at("/", "v2", fields({ color }))),
    none("/", fields({ color: "purple" })),
  ],
  "httproute-method-matching": [
    ...[at("/", "v1", { method: "POST" }), at("/", "v2", { method: "GET" }), none("/", { method: "HEAD" })],
    ...[at("/path1", "v1", { method: "GET" }), at("/", "v2", { method: "PUT", headers: { version: "one" } })],
    at("/path2", "v3", { method: "POST", headers: { version: "two" } }),
    ...[
      at("/path3", "v1", { method: "PATCH" }),
      at("/path4", "v1", { method: "DELETE", headers: { version: "three" } }),
    ],
    ...[
      at("/path5", "v1", { method: "PATCH" }),
      at("/", "v2", { method: "PATCH", headers: { version: "four" } }),
    ],
  ],
  "httproute-path-match-order": [
    ...[at("/match/exact/one", "v3"), at("/match/exact", "v2"), at("/match", "v1")],
    ...[at("/match/prefix/one/any", "v2"), at("/match/prefix/any", "v1"), at("/match/any", "v3")],
  ],
  "httproute-matching-across-routes": [
    ...["/", "/example"].map((path) => at(path, "v1", { host: "example.com" })),
    at("/v2", "v1", { host: "example.net" }),
    at("/v2/example", "v2", { host: "example.com" }),
    at("/", "v2", { host: "example.com", headers: { version: "two" } }),
  ],
  "httproute-query-param-matching": [
    ...[at("/?animal=whale", "v1"), at("/?animal=dolphin", "v2"), at("/?animal=dolphin&color=blue", "v3")],
    ...[at("/?ANIMAL=Whale", "v3"), at("/?animal=whale&otherparam=irrelevant", "v1")],
    ...["/", "/?color=blue", "/?animal=dog", "/?animal=whaledolphin"].map((path) => none(path)),
    ...[at("/path1?animal=whale", "v1"), at("/?animal=whale", "v2", fields({ version: "one" }))],
    at("/path2?animal=whale", "v3", fields({ version: "two" })),
    ...[
      at("/path3?animal=shark", "v1"),
      at("/path4?animal=kraken", "v1", fields({ version: "three" })),
      at("/path5?animal=hydra", "v1"),
    ],
    at("/?animal=hydra", "v3", fields({ version: "four" })),
  ],
  "httproute-named-rule": [at("/named", "v1"), at("/unnamed", "v2")],
  "httproute-listener-hostname-matching": shared("httproute-listener-hostname-matching", [
    ...[["bar.com", "/", "v1"] as const, ["foo.bar.com", "/", "v2"] as const],
    ...["baz.bar.com", "boo.bar.com", "multiple.prefixes.bar.com", "multiple.prefixes.foo.com"].map(
      (host) => [host, "/", "v3"] as const,
    ),
    ...[["foo.com", "/", null] as const, ["no.matching.host", "/", null] as const],
  ]),
  "httproute-hostname-intersection": [
    ...shared("httproute-hostname-intersection", [
      ...[["very.specific.com", "/s1", "v1"] as const, ["non.matching.com", "/s1", null] as const],
      ...[
        ["foo.nonmatchingwildcard.io", "/s1", null] as const,
        ["very.specific.com", "/other", null] as const,
      ],
      ...["foo", "bar", "foo.bar"].map((host) => [`${host}.wildcard.io`, "/s2", "v2"] as const),
      ...[["wildcard.io", "/s2", null] as const, ["non.matching.com", "/s2", null] as const],
      ...[["very.specific.com", "/s3", "v3"] as const, ["foo.specific.com", "/s3", null] as const],
      ...["one", "two", "foo.one"].map((host) => [`${host}.anotherwildcard.io`, "/s4", "v1"] as const),
      ...[["anotherwildcard.io", "/s4", null] as const, ["foo.wildcard.io", "/s4", null] as const],
      ...[["specific.but.wrong.com", "/s5", null] as const, ["wildcard.io", "/s5", null] as const],
    ]),
    ...shared("httproute-hostname-intersection-all", [
      ...["first.com", "sub.first.com", "second.com", "sub.second.com"].map(
        (host) => [host, "/", "v2"] as const,
      ),
      ["third.com", "/", null],
    ]),
  ],
  "httproute-listener-port-matching": (
    [
      ...[["foo.com", 80, "v1"] as const, ["bar.com", 80, null] as const],
      ...[["foo.com", 8080, "v2"] as const, ["bar.com", 8080, "v2"] as const],
      ...[["foo.com", 8090, "v3"] as const, ["bar.com", 8090, null] as const],
    ] as const
  ).map(([host, port, backend]) => {
    const gateway = "httproute-listener-port-matching";
    return backend === null ? none("/", { host, port, gateway }) : at("/", backend, { host, port, gateway });
  }),
  "httproute-multiple-gateways": [
    ...[at("/shared", "v1"), at("/", "v2")],
    ...[at("/shared", "v1", { gateway: "all-namespaces" }), at("/", "v3", { gateway: "all-namespaces" })],
  ],
  "httproute-reference-grant": [{ path: "/", backend: "web-backend" }],
  "httproute-invalid-reference-grant": [none("/", { status: 500 })],
  "httproute-partially-invalid-via-invalid-reference-grant": [
    none("/v2", { status: 500 }),
    { path: "/", backend: "app-backend-v1" },
  ],
  "httproute-invalid-cross-namespace-backend-ref": [none("/", { status: 500 })],
  "httproute-invalid-cross-namespace-parent-ref": [none("/")],
  "httproute-rewrite-host": [
    at("/one", "v1", { host: "rewrite.example", appHost: "one.example.org" }),
    at("/two", "v2", { host: "rewrite.example", appHost: "example.org" }),
    at("/rewrite-host-and-modify-headers", "v2", { host: "rewrite.example", appHost: "test.example.org" }),
  ],
  "httproute-rewrite-path": [
    ...[
      at("/prefix/one/two", "v1", { appPath: "/one/two" }),
      at("/strip-prefix/three", "v1", { appPath: "/three" }),
    ],
    ...[at("/strip-prefix", "v1", { appPath: "/" }), at("/full/one/two", "v1", { appPath: "/one" })],
  ],
  "httproute-redirect-host-and-status": [
    to("/hostname-redirect", "http://example.org/hostname-redirect"),
    to("/host-and-status", "http://example.org/host-and-status", 301),
  ],
};
