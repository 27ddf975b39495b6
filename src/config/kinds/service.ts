/** `kind: Service`: a name that is called, how it is spoken to, and what its calls go by. */
import * as v from "valibot";
import type { ServiceDocument } from "../../model/document.ts";
import { defaultNamespace } from "../../model/service.ts";
import { declaresRequests, protocolText } from "../document_set.ts";
import { common, flag, labels, list, name, object, port } from "../fields.ts";
import type { Report } from "../issue_at.ts";
import { defineKind, type Neighbourhood, type PlacedUse } from "../kind.ts";
import { expandHealth, health } from "../parts/health.ts";
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
  port,
  protocol: v.optional(protocol),
  transport: v.optional(transport),
  subsets: v.optional(record(name, labels)),
  health: v.optional(health),
  balance: v.optional(v.picklist(["ewma", "round-robin"], "ewma or round-robin")),
  stream: v.optional(flag),
  escapedSlashes: v.optional(v.picklist(["keep", "refuse", "decode"], "keep, refuse or decode")),
  upgrades: v.optional(list(upgrade, 16, 1)),
  interim: v.optional(v.picklist(["forward"], "forward")),
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
    balance: written.balance ?? "ewma",
    stream: written.stream ?? false,
    escapedSlashes: written.escapedSlashes ?? "keep",
    ...(written.upgrades === undefined ? {} : { upgrades: written.upgrades }),
    ...(written.interim === undefined ? {} : { interim: written.interim }),
    policies: expandPolicies(written.policies),
  };
}

/** What the protocol cannot take. */
function check({ protocol, transport, escapedSlashes, upgrades, interim }: Written, report: Report): void {
  if (transport === "http/1.1" && protocol !== "http")
    report(["transport"], `transport http/1.1 carries protocol http, not ${protocol ?? "an undeclared one"}`);
  if (transport === "own" && protocol !== "tcp" && protocol !== "tls" && protocol !== undefined)
    report(["transport"], `transport own is for opaque connections (tcp, tls), not for ${protocol}`);
  if (protocol !== "tcp" && protocol !== "tls") return;
  const advice = `declare protocol http, http2 or grpc, not ${protocol}`;
  if (escapedSlashes !== undefined)
    report(["escapedSlashes"], `requests have paths: ${advice}`, { key: true });
  if (upgrades !== undefined) report(["upgrades"], `requests are upgraded: ${advice}`, { key: true });
  if (interim !== undefined) report(["interim"], `requests are answered: ${advice}`, { key: true });
}

function crossCheck(document: ServiceDocument, around: Neighbourhood): void {
  checkPolicies(policyUses(document), around);
  if (declaresRequests(document) || document.policies.length === 0) return;
  const spoken = protocolText(document);
  around.report(["policies"], `policies see requests: declare protocol http, http2 or grpc, not ${spoken}`);
}

function policyUses(document: ServiceDocument): PlacedUse[] {
  return placedPolicies(document.policies, []);
}

export const service = defineKind({
  name: "Service",
  schema,
  expand: expandService,
  check,
  crossCheck,
  policyUses,
});
