/** The shapes of documents as operators write them, sugar included. One field is one line; what is not here is an error. */
import * as v from "valibot";
import { parseDuration } from "../base/duration.ts";

const label = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const name = v.pipe(
  v.string(),
  v.regex(label, "expected a name of lower-case letters, digits and -, at most 63"),
);
const serviceName = v.pipe(
  v.string(),
  v.check((text) => {
    const parts = text.split(".");
    return parts.length <= 2 && parts.every((part) => label.test(part));
  }, "expected a service such as orders or orders.prod"),
);
const duration = v.pipe(
  v.string(),
  v.transform((text) => parseDuration(text)),
  v.check((ms) => ms !== null, "expected a duration such as 500ms, 5s or 1h30m"),
  v.transform((ms) => ms ?? 0),
);
const port = v.pipe(
  v.number("expected a port number"),
  v.integer("expected a port number"),
  v.minValue(1, "expected a port from 1 to 65535"),
  v.maxValue(65535, "expected a port from 1 to 65535"),
);
const labels = v.record(
  v.string(),
  v.pipe(v.union([v.string(), v.number(), v.boolean()]), v.transform(String)),
);
const path = v.pipe(v.string(), v.startsWith("/", "expected a path that begins with /"), v.maxLength(4096));
const health = v.strictObject({ http: v.optional(path), every: v.optional(duration) });
const policies = v.optional(
  v.array(v.strictObject({ use: name, with: v.optional(v.record(v.string(), v.unknown())) })),
);
const method = v.pipe(v.string(), v.regex(/^[A-Z]{1,32}$/, "expected a method in capitals"));
const weight = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(1_000_000));

/** Regular expressions run on every request: no construct that can take more than linear time. */
const expression = v.pipe(
  v.string(),
  v.maxLength(256, "expected an expression of at most 256 characters"),
  v.check(
    isCheapExpression,
    "expected a regular expression without nested repetition, lookaround or back-references",
  ),
);

function isCheapExpression(text: string): boolean {
  if (/\\[1-9k]|\(\?(?!:)/.test(text)) return false;
  if (
    /\([^()]*[*+{][^()]*\)[*+{]/.test(text) ||
    /\([^()]*\|[^()]*\)[*+{]/.test(text) ||
    /\([^()]*\([^]*\)[*+{]/.test(text)
  )
    return false;
  try {
    new RegExp(text);
    return true;
  } catch {
    return false;
  }
}

const headerMatch = v.variant("type", [
  v.strictObject({
    type: v.literal("Exact"),
    name: v.string(),
    value: v.pipe(v.string(), v.maxLength(4096)),
  }),
  v.strictObject({ type: v.literal("RegularExpression"), name: v.string(), value: expression }),
]);
const fullPath = v.variant("type", [
  v.strictObject({ type: v.literal("Exact"), value: path }),
  v.strictObject({ type: v.literal("PathPrefix"), value: path }),
  v.strictObject({ type: v.literal("RegularExpression"), value: expression }),
]);
/** `/x` prefix, `= /x` exact, `~ ^/x` expression. */
const shortPath = v.pipe(
  v.string(),
  v.check((text) => /^(?:\/|= \/|~ )/.test(text), "expected /prefix, = /exact or ~ ^/expression"),
  v.check(
    (text) => !text.startsWith("~ ") || isCheapExpression(text.slice(2)),
    "expected a regular expression without nested repetition, lookaround or back-references",
  ),
);
const match = v.strictObject({
  path: v.optional(v.union([shortPath, fullPath])),
  method: v.optional(method),
  headers: v.optional(
    v.union([
      v.record(v.string(), v.string()),
      v.pipe(v.array(headerMatch), v.maxLength(16, "expected at most 16 headers")),
    ]),
  ),
});
const rule = v.strictObject({
  name: v.optional(name),
  match: v.optional(match),
  matches: v.optional(v.pipe(v.array(match), v.maxLength(64, "expected at most 64 matches"))),
  split: v.optional(v.record(v.string(), weight)),
  backends: v.optional(
    v.array(v.strictObject({ service: serviceName, subset: v.optional(name), weight: v.optional(weight) })),
  ),
  timeouts: v.optional(v.strictObject({ request: v.optional(duration) })),
  idempotent: v.optional(v.boolean()),
  policies,
});
const accessRule = v.strictObject({
  from: v.string(),
  methods: v.optional(v.array(method)),
  paths: v.optional(v.array(path)),
});

const common = { name, namespace: v.optional(name) };

export const schemas = {
  Service: v.strictObject({
    kind: v.literal("Service"),
    ...common,
    port,
    protocol: v.picklist(["http", "tcp"], "expected http or tcp"),
    subsets: v.optional(v.record(name, labels)),
    health: v.optional(health),
    balance: v.optional(v.picklist(["ewma", "round-robin"], "expected ewma or round-robin")),
    stream: v.optional(v.boolean()),
    policies,
  }),
  HTTPRoute: v.strictObject({
    kind: v.literal("HTTPRoute"),
    ...common,
    service: serviceName,
    order: v.optional(v.pipe(v.number(), v.integer())),
    rules: v.pipe(
      v.array(rule),
      v.minLength(1, "expected at least one rule"),
      v.maxLength(16, "expected at most 16 rules"),
    ),
  }),
  Access: v.strictObject({
    kind: v.literal("Access"),
    ...common,
    service: serviceName,
    mode: v.optional(v.picklist(["enforce", "audit"], "expected enforce or audit")),
    deny: v.optional(v.array(accessRule)),
    allow: v.optional(v.array(accessRule)),
  }),
  Machine: v.strictObject({
    kind: v.literal("Machine"),
    name: v.optional(name),
    address: v.optional(v.string()),
    services: v.optional(
      v.array(
        v.strictObject({
          service: serviceName,
          host: v.optional(v.string()),
          port,
          httpPort: v.optional(port),
          health: v.optional(health),
          labels: v.optional(labels),
          upstreams: v.optional(
            v.array(
              v.strictObject({
                service: serviceName,
                bind: v.optional(
                  v.pipe(v.string(), v.regex(/^[0-9a-f.:[\]]+:\d{1,5}$/, "expected address:port")),
                ),
              }),
            ),
          ),
        }),
      ),
    ),
  }),
} as const;

export type Kind = keyof typeof schemas;
export const kinds = Object.keys(schemas) as readonly Kind[];

export type Written<K extends Kind> = v.InferOutput<(typeof schemas)[K]>;
