/** `kind: Mesh`: what holds for every service, where its own documents say nothing; one for the whole mesh at most. */
import * as v from "valibot";
import type { MeshDocument } from "../../model/document.ts";
import { defaultNamespace } from "../../model/service.ts";
import { common, object, said } from "../fields.ts";
import { defineKind, type Neighbourhood, type Placed, type PlacedUse, type ReportOn } from "../kind.ts";
import { checkPolicies, expandPolicies, placedPolicies, policies } from "../parts/policies.ts";
import { expandTelemetry, telemetry } from "../parts/telemetry.ts";
import { checkTraffic, expandTraffic, trafficFields } from "../parts/traffic.ts";

const schema = object({
  kind: v.literal("Mesh"),
  ...common,
  traffic: v.optional(
    said(
      object(trafficFields),
      "What the calls of all services go by, where Traffic of the service says nothing",
    ),
  ),
  egress: v.optional(
    said(
      v.picklist(["open", "declared"], "open or declared"),
      "What units that are intercepted with outbound: all may call outside of the mesh: everything, or nothing that no document declares (default: open)",
    ),
  ),
  faults: v.optional(
    said(
      v.picklist(["allowed", "refused"], "allowed or refused"),
      "Whether rules of routes may delay and abort requests on purpose (fault); where it is refused they pass as if nothing were said of it (default: refused)",
    ),
  ),
  telemetry: v.optional(said(telemetry, "What the proxies tell of requests, and to whom")),
  policies,
  unsealedPolicies: v.optional(
    said(
      v.picklist(["run", "refuse"], "run or refuse"),
      "What becomes of policies on a machine whose kernel cannot seal their process: they run all the same, or fail as their onError says (default: run)",
    ),
  ),
});

function expand({
  name,
  traffic = {},
  telemetry = {},
  policies: uses = [],
  egress,
  faults,
  unsealedPolicies,
  ...written
}: v.InferOutput<typeof schema>): MeshDocument {
  const namespace = written.namespace ?? defaultNamespace;
  return {
    kind: "Mesh",
    name,
    namespace,
    traffic: expandTraffic(traffic, namespace),
    telemetry: expandTelemetry(telemetry),
    ...(uses.length === 0 ? {} : { policies: expandPolicies(uses) }),
    ...(egress === undefined ? {} : { egress }),
    ...(faults === "allowed" ? { faults } : {}),
    ...(unsealedPolicies === undefined ? {} : { unsealedPolicies }),
  };
}

function crossCheck(document: MeshDocument, around: Neighbourhood): void {
  checkTraffic(document.traffic, {}, { path: ["traffic"], report: around.report });
  checkPolicies(policyUses(document), around);
}

function policyUses({ policies = [] }: MeshDocument): PlacedUse[] {
  return placedPolicies(policies, []);
}

function checkSingle([first, ...others]: readonly Placed<MeshDocument>[], report: ReportOn): void {
  for (const { source } of others)
    if (!report(source, ["name"], `Mesh ${first?.document.name} is there already: one is all`)) return;
}

const example = `kind: Mesh
name: mesh
traffic:
  circuitBreaking: {failures: 10}
telemetry:
  traces: {endpoint: "http://collector:4318", samplePercent: 5}`;

export const mesh = defineKind({
  name: "Mesh",
  words: "What holds for every service of the mesh, where its own documents say nothing",
  example,
  schema,
  expand,
  crossCheck,
  crossCheckAll: checkSingle,
  policyUses,
});
