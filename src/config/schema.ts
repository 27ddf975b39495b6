/** The shapes of documents as operators write them, sugar included. One field is one line; what is not here is an error. */
import * as v from "valibot";
import { parseDuration } from "../base/duration.ts";
import { compileExpression } from "../model/expression.ts";
import { limits } from "../model/limits.ts";
import { labelBytesOf } from "../model/service.ts";
import { mapping, record } from "./record.ts";

const label = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const tokenForm = /^[A-Za-z0-9!#$%&'*+\-.^_`|~]{1,256}$/;

const name = v.pipe(
  v.string("a name"),
  v.regex(label, "a name of lower-case letters, digits and -, at most 63 characters"),
);
const serviceName = v.pipe(
  v.string("a service such as orders or orders.prod"),
  v.check(isServiceName, "a service such as orders or orders.prod"),
);
const duration = v.pipe(
  v.string("a duration such as 500ms, 5s or 1h30m"),
  v.check((text) => parseDuration(text) !== null, "a duration such as 500ms, 5s or 1h30m"),
  v.transform((text) => parseDuration(text) ?? 0),
);
const pause = v.pipe(duration, v.minValue(100, "a duration of at least 100ms"));
const port = v.pipe(
  v.number("a port from 1 to 65535"),
  v.integer("a port from 1 to 65535"),
  v.minValue(1, "a port from 1 to 65535"),
  v.maxValue(65_535, "a port from 1 to 65535"),
);
const flag = v.boolean("true or false");
const labelValue = v.pipe(
  v.union([v.string(), v.number(), v.boolean()], "a word or a number"),
  v.transform(String),
  v.maxLength(63, "a value of at most 63 characters"),
);
const labels = record(
  v.pipe(v.string(), v.maxLength(63, "a label name of at most 63 characters")),
  labelValue,
);
/** What the registry takes of an instance. */
const instanceLabels = v.pipe(
  labels,
  v.check((all) => Object.keys(all).length <= limits.labelsMax, `at most ${limits.labelsMax} labels`),
  v.check(
    (all) => labelBytesOf(all) <= limits.labelBytesMax,
    `labels of at most ${limits.labelBytesMax} bytes in all`,
  ),
);
const target = v.pipe(
  v.string("a path such as /healthz"),
  v.regex(/^\/[!-~]{0,1023}$/, "a path such as /healthz"),
);
const path = v.pipe(
  v.string(pathForm()),
  v.maxLength(4096, "a path of at most 4096 characters"),
  v.check(isPath, pathForm()),
);
const accessPath = v.pipe(
  v.string(pathForm()),
  v.maxLength(4096, "a path of at most 4096 characters"),
  v.check(
    (text) => isPath(text.endsWith("/*") ? text.slice(0, -1) : text),
    `${pathForm()}, or one that ends in /*`,
  ),
  v.check((text) => !text.replace(/\/\*$/, "/").includes("*"), "* only as the whole last segment"),
);
const health = object({ http: v.optional(target), every: v.optional(pause) });
/** A policy's own schema could lose these names on the way, without an issue. */
const lostNames: ReadonlySet<string> = new Set(["constructor", "prototype", "__proto__"]);
const optionName = v.pipe(
  v.string(),
  v.check((text) => !lostNames.has(text), `a name other than ${[...lostNames].join(", ")}`),
);
const optionValue = v.pipe(
  v.unknown(),
  v.check(keepsNames, `a value without keys named ${[...lostNames].join(", ")}`),
);
const policies = v.optional(
  list(object({ use: name, with: v.optional(record(optionName, optionValue)) }), 16),
);
const method = v.pipe(
  v.string("a method such as GET"),
  v.regex(/^[A-Z][A-Z-]{0,31}$/, "a method in capitals such as GET"),
);
const weight = v.pipe(
  v.number("a whole number from 0 to 1000000"),
  v.integer("a whole number from 0 to 1000000"),
  v.minValue(0, "a whole number from 0 to 1000000"),
  v.maxValue(1_000_000, "a whole number from 0 to 1000000"),
);

const expression = v.pipe(
  v.string("a regular expression"),
  v.check(isExpression, (issue) => expressionForm(issue.input)),
);
const exactValue = v.pipe(
  v.string("the header's value"),
  v.maxLength(4096, "a value of at most 4096 characters"),
);
const headerName = v.pipe(v.string("a header name"), v.regex(tokenForm, "a header name"));
const exactHeader = object({
  type: v.optional(v.picklist(["Exact", "RegularExpression"], "Exact or RegularExpression")),
  name: headerName,
  value: exactValue,
});
const expressionHeader = object({
  type: v.literal("RegularExpression"),
  name: headerName,
  value: expression,
});
const plainPath = object({
  type: v.optional(
    v.picklist(["Exact", "PathPrefix", "RegularExpression"], "Exact, PathPrefix or RegularExpression"),
  ),
  value: path,
});
const expressionPath = object({ type: v.literal("RegularExpression"), value: expression });
/** `/x` prefix, `= /x` exact, `~ ^/x` expression. */
const shortPath = v.pipe(
  v.string(),
  v.check((text) => /^(?:\/|= \/|~ )/.test(text), '/prefix, "= /exact" or "~ ^/expression"'),
  v.check(
    (text) => !text.startsWith("~ ") || isExpression(text.slice(2)),
    (issue) => expressionForm(issue.input.slice(2)),
  ),
  v.check((text) => text.startsWith("~ ") || isPath(text.replace(/^= /, "")), pathForm()),
);
const match = object({
  path: v.optional(
    v.lazy((input) =>
      typeof input === "string" ? shortPath : isExpressionType(input) ? expressionPath : plainPath,
    ),
  ),
  method: v.optional(method),
  headers: v.optional(
    v.lazy((input) =>
      Array.isArray(input)
        ? list(
            v.lazy((each) => (isExpressionType(each) ? expressionHeader : exactHeader)),
            16,
          )
        : record(headerName, exactValue),
    ),
  ),
});
const split = record(
  v.pipe(
    v.string(),
    v.check((text) => {
      const [service = "", subset, more] = text.split("/");
      return isServiceName(service) && (subset === undefined || label.test(subset)) && more === undefined;
    }, "a service such as reviews, or a subset such as reviews/v1"),
  ),
  weight,
);
const backends = list(
  object({ service: serviceName, subset: v.optional(name), weight: v.optional(weight) }),
  16,
);
const rule = object({
  name: v.optional(name),
  match: v.optional(match),
  matches: v.optional(list(match, 64, 1)),
  split: v.optional(split),
  backends: v.optional(backends),
  timeouts: v.optional(object({ request: v.optional(duration) })),
  idempotent: v.optional(flag),
  policies,
});
const accessRules = v.optional(
  list(
    object({
      from: v.pipe(v.string(sourceForm()), v.check(isSource, sourceForm())),
      methods: v.optional(list(method, 32)),
      paths: v.optional(list(accessPath, 64)),
    }),
    256,
  ),
);
const protocol = v.optional(
  v.picklist(["http", "http2", "grpc", "tcp", "tls"], "http, http2, grpc, tcp or tls"),
);
const transport = v.optional(v.picklist(["shared", "http/1.1", "own"], 'shared, own, or "http/1.1"'));
/** A protocol of an Upgrade field, with or without a version. */
const upgradeForm = "a protocol such as chat or spdy/3.1";
const upgrade = v.pipe(
  v.string(upgradeForm),
  v.regex(/^[A-Za-z0-9!#$%&'*+\-.^_`|~]{1,64}(?:\/[A-Za-z0-9!#$%&'*+\-.^_`|~]{1,64})?$/, upgradeForm),
  v.check(
    (text) => !/^(?:h2c|h2|connect|tls\/.*|http\/.*)$/i.test(text),
    "a protocol other than HTTP and TLS, which would pass every rule by",
  ),
  v.toLowerCase(),
);
/** A name that TLS clients ask for. */
const hostname = v.pipe(
  v.string("a hostname such as db.example or *.example"),
  v.regex(
    /^(?:\*\.)?(?=.{1,253}$)(?!\d+(?:\.\d+){3}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/,
    "a hostname such as db.example or *.example, in lower case",
  ),
);
const host = v.pipe(
  v.string("an address such as 10.0.0.12"),
  v.regex(/^[A-Za-z0-9.:-]{1,253}$/, "an address such as 10.0.0.12"),
);
const bind = v.pipe(
  v.string("address:port such as 127.0.0.1:9001"),
  v.check(isBind, "address:port such as 127.0.0.1:9001"),
);

const common = { name, namespace: v.optional(name) };

export const schemas = {
  Service: object({
    kind: v.literal("Service"),
    ...common,
    port,
    protocol,
    transport,
    subsets: v.optional(record(name, labels)),
    health: v.optional(health),
    balance: v.optional(v.picklist(["ewma", "round-robin"], "ewma or round-robin")),
    stream: v.optional(flag),
    escapedSlashes: v.optional(v.picklist(["keep", "refuse", "decode"], "keep, refuse or decode")),
    upgrades: v.optional(list(upgrade, 16, 1)),
    policies,
  }),
  HTTPRoute: object({
    kind: v.literal("HTTPRoute"),
    ...common,
    service: serviceName,
    order: v.optional(v.pipe(v.number("a whole number"), v.safeInteger("a whole number"))),
    rules: list(rule, 16, 1),
  }),
  TLSRoute: object({
    kind: v.literal("TLSRoute"),
    ...common,
    service: serviceName,
    hostnames: list(hostname, 1024, 1),
    split: v.optional(split),
    backends: v.optional(backends),
  }),
  Access: object({
    kind: v.literal("Access"),
    ...common,
    service: serviceName,
    mode: v.optional(v.picklist(["enforce", "audit"], "enforce or audit")),
    deny: accessRules,
    allow: accessRules,
  }),
  Machine: object({
    kind: v.literal("Machine"),
    name: v.optional(name),
    address: v.optional(host),
    services: v.optional(
      list(
        object({
          service: serviceName,
          host: v.optional(host),
          port,
          httpPort: v.optional(port),
          health: v.optional(health),
          labels: v.optional(instanceLabels),
          proxyProtocol: v.optional(v.picklist(["v1", "v2"], "v1 or v2")),
          upstreams: v.optional(
            list(
              object({ service: serviceName, bind: v.optional(bind), proxyProtocol: v.optional(flag) }),
              limits.upstreamsMax,
            ),
          ),
        }),
        limits.servicesPerNodeMax,
      ),
    ),
  }),
} as const;

export type Kind = keyof typeof schemas;
export const kinds = Object.keys(schemas) as readonly Kind[];

export type Written<K extends Kind> = v.InferOutput<(typeof schemas)[K]>;

/** Fields that reference documents have and this version does not: refused in words of their own. */
export const plannedFields: ReadonlySet<string> = new Set([
  ...["parentRefs", "hostnames", "filters", "backendRefs", "retry"],
  ...["backendRequest", "queryParams", "sessionPersistence", "retryBudget", "limits"],
]);

function object<const Entries extends v.ObjectEntries>(entries: Entries) {
  return v.pipe(mapping, v.strictObject(entries));
}

function list<const Item extends v.GenericSchema>(item: Item, most: number, least = 0) {
  return v.pipe(
    v.array(item, "a list"),
    v.minLength(least, `at least ${least}`),
    v.maxLength(most, `at most ${most}`),
  );
}

function keepsNames(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return true;
  return Object.entries(value).every(([key, each]) => !lostNames.has(key) && keepsNames(each));
}

function isServiceName(text: string): boolean {
  const parts = text.split(".");
  return parts.length <= 2 && parts.every((part) => label.test(part));
}

function pathForm(): string {
  return "a normal path such as /api: it begins with /, without //, . or .. segments, ? and #";
}

/** Requests are matched by their normalised path, so no other could ever match. */
function isPath(text: string): boolean {
  return /^\/[!-~]*$/.test(text) && !/\/\/|\/\.{1,2}(?:\/|$)|[?#]/.test(text);
}

function isExpressionType(input: unknown): boolean {
  return (
    typeof input === "object" && input !== null && (input as { type?: unknown }).type === "RegularExpression"
  );
}

function isExpression(text: string): boolean {
  return compileExpression(text).ok;
}

function expressionForm(text: string): string {
  const result = compileExpression(text);
  return `a regular expression that takes linear time, but ${result.ok ? "" : result.problem}`;
}

function sourceForm(): string {
  return "a service such as web, a SPIFFE ID, one that ends in /*, any-mesh or any";
}

function isSource(text: string): boolean {
  if (text === "any" || text === "any-mesh") return true;
  if (!text.startsWith("spiffe://")) return isServiceName(text);
  const [domain = "", ...segments] = text.slice("spiffe://".length).split("/");
  const fits = (segment: string, at: number): boolean =>
    (segment === "*" && at === segments.length - 1) ||
    (/^[A-Za-z0-9._-]+$/.test(segment) && !/^\.{1,2}$/.test(segment));
  return /^[a-z0-9._-]{1,255}$/.test(domain) && segments.length > 0 && segments.every(fits);
}

function isBind(text: string): boolean {
  const found = /^(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:]+\]|localhost):(\d{1,5})$/.exec(text);
  const number = Number(found?.[1] ?? 0);
  return number >= 1 && number <= 65_535;
}
