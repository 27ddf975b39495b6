/** The policies that ship with heddle, as text: documents may use them without giving their sources. */
import { embed } from "../../compile/embed.ts" with { type: "macro" };
import type { PolicySource } from "./policy_source.ts";

const texts: Readonly<Record<string, string>> = {
  header_route: embed("policies/header_route.ts"),
  ab_split: embed("policies/ab_split.ts"),
  access_audit: embed("policies/access_audit.ts"),
  blue_green: embed("policies/blue_green.ts"),
  canary: embed("policies/canary.ts"),
  concurrency_limit: embed("policies/concurrency_limit.ts"),
  connection_limit: embed("policies/connection_limit.ts"),
  consistent_hash: embed("policies/consistent_hash.ts"),
  cors: embed("policies/cors.ts"),
  deadline_propagate: embed("policies/deadline_propagate.ts"),
  ext_authz: embed("policies/ext_authz.ts"),
  fault_inject: embed("policies/fault_inject.ts"),
  global_rate_limit: embed("policies/global_rate_limit.ts"),
  header_edit: embed("policies/header_edit.ts"),
  idempotency_key: embed("policies/idempotency_key.ts"),
  ip_allow: embed("policies/ip_allow.ts"),
  jwt: embed("policies/jwt.ts"),
  maintenance: embed("policies/maintenance.ts"),
  mirror: embed("policies/mirror.ts"),
  outlier_hint: embed("policies/outlier_hint.ts"),
  path_rewrite: embed("policies/path_rewrite.ts"),
  pii_redact: embed("policies/pii_redact.ts"),
  rate_limit: embed("policies/rate_limit.ts"),
  retry_policy: embed("policies/retry_policy.ts"),
  session_affinity: embed("policies/session_affinity.ts"),
  size_limit: embed("policies/size_limit.ts"),
  zone_prefer: embed("policies/zone_prefer.ts"),
};

/** What ends in `_test` is a test. */
const otherNames: Readonly<Record<string, string>> = { ab_split: "ab-test" };

/** By the name that documents use. */
export const shippedPolicies: ReadonlyMap<string, PolicySource> = new Map(
  Object.entries(texts).map(([name, text]) => [
    otherNames[name] ?? name.replaceAll("_", "-"),
    { file: `policies/${name}.ts`, text },
  ]),
);
