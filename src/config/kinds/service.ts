/** `kind: Service`: a name that is called, how it is spoken to, and what its calls go by. */
import * as v from "valibot";
import type { ServiceDocument } from "../../model/document.ts";
import { defaultNamespace } from "../../model/service.ts";
import type { BalanceStrategy } from "../../model/traffic.ts";
import { declaresRequests, protocolText } from "../document_set.ts";
import { common, flag, labels, list, name, object, port, said } from "../fields.ts";
import type { Report } from "../issue_at.ts";
import { defineKind, type Neighbourhood, type PlacedUse } from "../kind.ts";
import { expandHealth, health } from "../parts/health.ts";
import { expandInference, inference, inferenceWords } from "../parts/inference.ts";
import { checkPolicies, expandPolicies, placedPolicies, policies } from "../parts/policies.ts";
import { record } from "../record.ts";

const protocol = v.picklist(["http", "http2", "grpc", "tcp", "tls"], "http, http2, grpc, tcp or tls");
const transport = v.picklist(["shared", "http/1.1", "own"], 'shared, own, or "http/1.1"');
/** A protocol of an Upgrade field, with or without a version. */
const upgradeForm = "a protocol such as chat or spdy/3.1";
const upgrade = v.pipe(
  v.string(upgradeForm),
  v.regex(/^[A-Za-z0-9!#$%&'*+\-.^_`|~]{1,64}(?:\/[A-Za-z0-9!#$%&'*+\-.^_`|~]{1,64})?$/, upgradeForm),
  v.check(
    (text) => !/^(?:h2c|h2|connect|tls\/.*|http\/.*)$/i.test(text),
    "a protocol other than HTTP and TLS, which would pass every rule by",
  ),
  v.check(
    (text) => !/^connect-(?:udp|ip)$/i.test(text),
    "a protocol of one stream: heddle carries no datagrams",
  ),
  v.toLowerCase(),
);

const schema = object({
  kind: v.literal("Service"),
  ...common,
  port: said(port, "Port in the name by which it is called: orders.mesh:80"),
  protocol: v.optional(
    said(protocol, "What the app speaks (default: each connection shows it by its first bytes)"),
  ),
  transport: v.optional(
    said(
      transport,
      "Between two machines: shared, one HTTP/2 connection for all calls; http/1.1, a connection for each call; own, one for each opaque connection (default: shared)",
    ),
  ),
  subsets: v.optional(
    said(record(name, labels), "Instances by their labels, under names that routes use: v1: {version: v1}"),
  ),
  health: v.optional(said(health, "How instances are probed, where their machine does not say otherwise")),
  balance: v.optional(
    said(
      v.picklist(
        ["ewma", "least-request", "round-robin", "random"],
        "ewma, least-request, round-robin or random",
      ),
      "How an instance is chosen, as balance.strategy of Traffic says it at length; ewma is peak-ewma (default: ewma)",
    ),
  ),
  stream: v.optional(
    said(flag, "Answers may be silent and bodies slow as long as they like (default: false)"),
  ),
  escapedSlashes: v.optional(
    said(
      v.picklist(["keep", "refuse", "decode"], "keep, refuse or decode"),
      "What %2F in a path is: a letter, an error 400, or a slash. Choose what the app takes it for (default: keep)",
    ),
  ),
  mergeSlashes: v.optional(
    said(
      v.picklist(["keep", "merge", "refuse"], "keep, merge or refuse"),
      "What // in a path is: as it stands, one slash, or an error 400. Choose what the app takes it for (default: keep)",
    ),
  ),
  pathParameters: v.optional(
    said(
      v.picklist(["keep", "strip", "refuse"], "keep, strip or refuse"),
      "What ; and the rest of its segment are: as they stand, left out, or an error 400. Choose what the app takes it for (default: keep)",
    ),
  ),
  upgrades: v.optional(
    said(
      list(upgrade, 16, 1),
      "Protocols beside websocket that a connection may change to; no rule sees what they carry",
    ),
  ),
  interim: v.optional(
    said(
      v.picklist(["forward"], "forward"),
      "forward: HTTP/1.1 callers get answers 102 and 103, too; some clients take them for the answer (default: they do not)",
    ),
  ),
  inference: v.optional(said(inference, inferenceWords)),
  policies,
});

type Written = v.InferOutput<typeof schema>;

/** Defaults included: what a document of `name` and `port` alone means. */
export function expandService(written: Written): ServiceDocument {
  return {
    kind: "Service",
    name: written.name,
    namespace: written.namespace ?? defaultNamespace,
    port: written.port,
    protocol: written.protocol ?? "detect",
    transport: written.transport ?? "shared",
    subsets: written.subsets ?? {},
    health: expandHealth(written.health),
    balance: written.balance === "round-robin" ? "round-robin" : "ewma",
    ...(written.balance === undefined
      ? {}
      : { traffic: { balance: { strategy: strategyOf(written.balance) } } }),
    stream: written.stream ?? false,
    escapedSlashes: written.escapedSlashes ?? "keep",
    ...kept("mergeSlashes", written.mergeSlashes),
    ...kept("pathParameters", written.pathParameters),
    ...(written.upgrades === undefined ? {} : { upgrades: written.upgrades }),
    ...(written.interim === undefined ? {} : { interim: written.interim }),
    ...(written.inference === undefined ? {} : { inference: expandInference(written.inference) }),
    policies: expandPolicies(written.policies),
  };
}

function strategyOf(balance: NonNullable<Written["balance"]>): BalanceStrategy {
  return balance === "ewma" ? "peak-ewma" : balance;
}

/** `keep` is what stands where nothing is said. */
function kept<Name extends string, Value extends string>(
  name: Name,
  value: Value | undefined,
): { readonly [Key in Name]?: Exclude<Value, "keep"> } {
  return value === undefined || value === "keep" ? {} : ({ [name]: value } as never);
}

/** What the protocol cannot take. */
function check(written: Written, report: Report): void {
  const { protocol, transport, upgrades, interim, inference } = written;
  if (transport === "http/1.1" && protocol !== "http")
    report(["transport"], `transport http/1.1 carries protocol http, not ${protocol ?? "an undeclared one"}`);
  if (transport === "own" && protocol !== "tcp" && protocol !== "tls" && protocol !== undefined)
    report(["transport"], `transport own is for opaque connections (tcp, tls), not for ${protocol}`);
  if (protocol !== "tcp" && protocol !== "tls") return;
  const advice = `declare protocol http, http2 or grpc, not ${protocol}`;
  for (const name of ["escapedSlashes", "mergeSlashes", "pathParameters"] as const)
    if (written[name] !== undefined) report([name], `requests have paths: ${advice}`, { key: true });
  if (upgrades !== undefined) report(["upgrades"], `requests are upgraded: ${advice}`, { key: true });
  if (inference !== undefined) report(["inference"], `prompts are requests: ${advice}`, { key: true });
  if (interim !== undefined) report(["interim"], `requests are answered: ${advice}`, { key: true });
}

function crossCheck(document: ServiceDocument, around: Neighbourhood): void {
  checkPolicies(policyUses(document), around);
}

function policyUses(document: ServiceDocument): PlacedUse[] {
  const placed = placedPolicies(document.policies, []);
  if (declaresRequests(document)) return placed;
  return placed.map((each) => ({ ...each, opaque: protocolText(document) }));
}

const example = `kind: Service
name: orders
port: 80
protocol: http
health: {http: /healthz}
subsets: {v1: {version: v1}, v2: {version: v2}}`;

export const service = defineKind({
  name: "Service",
  words: "A name that is called: how it is spoken to, probed, and what its calls go by",
  example,
  schema,
  expand: expandService,
  check,
  crossCheck,
  policyUses,
});
