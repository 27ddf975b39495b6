/** One YAML value: which kind of document it is, and what that kind makes of it. */
import type { AnyDocument } from "../model/document.ts";
import { readGateway } from "./gateway/gateway_document.ts";
import { isSilentPolicy, readBackendTrafficPolicy, readReferenceGrant } from "./gateway/gateway_policy.ts";
import { readGatewayRoute } from "./gateway/gateway_route.ts";
import { suggestion, type Issue } from "./issue.ts";
import { issueAt } from "./issue_at.ts";
import type { Kind, Placed } from "./kind.ts";
import { kindNames, kindNamed, kinds } from "./kinds.ts";
import { valueText } from "./value_text.ts";
import type { YamlDocument } from "./yaml_file.ts";

/** Adds to `issues` and answers null when the document does not fit. */
export function readDocument(source: YamlDocument, issues: Issue[]): Placed<AnyDocument> | null {
  const { value } = source;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    issues.push(issueAt(source, [], "Expected a document with kind and name"));
    return null;
  }
  const { kind, apiVersion } = value as { kind?: unknown; apiVersion?: unknown };
  if (apiVersion !== undefined) return readOther(source, String(apiVersion), issues);
  const known = kindNamed(kind);
  if (known !== null) return placed(known, source, issues);
  issues.push(unknownKind(source, kind));
  return null;
}

function placed(kind: Kind, source: YamlDocument, issues: Issue[]): Placed<AnyDocument> | null {
  const document = kind.read(source, issues);
  return document === null ? null : { document, source };
}

/** `flat`: in the form of heddle. */
function placedAs(flat: YamlDocument | null, issues: Issue[]): Placed<AnyDocument> | null {
  const kind = flat === null ? null : kindNamed((flat.value as { readonly kind: unknown }).kind);
  return flat === null || kind === null ? null : placed(kind, flat, issues);
}

/** Documents that are written for others, too. */
function readOther(source: YamlDocument, apiVersion: string, issues: Issue[]): Placed<AnyDocument> | null {
  if (/^gateway\.networking\.k8s\.io\/v1(?:alpha[23]|beta1)?$/.test(apiVersion)) {
    if (isSilentPolicy(source, String((source.value as { readonly kind?: unknown }).kind), issues))
      return null;
    const { kind } = source.value as { readonly kind?: unknown };
    if (kind === kinds.ReferenceGrant.name) return placedAs(readReferenceGrant(source, issues), issues);
    const isGateway = kind === kinds.Gateway.name;
    return placedAs(isGateway ? readGateway(source, issues) : readGatewayRoute(source, issues), issues);
  }
  if (isTrafficPolicy(source, apiVersion)) return placedAs(readBackendTrafficPolicy(source, issues), issues);
  const isCluster = /^(?:v1|(?:apps|batch|policy|autoscaling)\/v[0-9]\w*)$/.test(apiVersion);
  const message = isCluster
    ? "left out: this is for Kubernetes alone, and services here are declared by kind: Service of heddle"
    : `${valueText(apiVersion)} is not known: expected gateway.networking.k8s.io/v1, or no apiVersion and the fields of a kind of heddle side by side`;
  const code = isCluster ? "HED0161" : "HED0100";
  issues.push(issueAt(source, ["apiVersion"], message, { key: true, code }));
  return null;
}

function isTrafficPolicy({ value }: YamlDocument, apiVersion: string): boolean {
  const { kind } = value as { readonly kind?: unknown };
  return apiVersion === "gateway.networking.x-k8s.io/v1alpha1" && kind === "XBackendTrafficPolicy";
}

function unknownKind(source: YamlDocument, kind: unknown): Issue {
  const known = `known kinds are ${kindNames.join(", ")}`;
  if (kind === undefined) return issueAt(source, [], `kind: this field is missing; ${known}`);
  const near = typeof kind === "string" ? suggestion(kind, kindNames) : "";
  return issueAt(source, ["kind"], `${valueText(kind)} is not known; ${known}${near}`);
}
