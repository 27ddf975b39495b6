/** One YAML value: which kind of document it is, and what that kind makes of it. */
import type { AnyDocument } from "../model/document.ts";
import { suggestion, type Issue } from "./issue.ts";
import { issueAt } from "./issue_at.ts";
import { kindNames, kindNamed } from "./kinds.ts";
import { valueText } from "./read_fields.ts";
import type { YamlDocument } from "./yaml_file.ts";

/** Adds to `issues` and answers null when the document does not fit. */
export function readDocument(source: YamlDocument, issues: Issue[]): AnyDocument | null {
  const { value } = source;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    issues.push(issueAt(source, [], "Expected a document with kind and name"));
    return null;
  }
  const { kind, apiVersion } = value as { kind?: unknown; apiVersion?: unknown };
  if (apiVersion !== undefined) {
    const message = "this version reads the flat form only: kind, name and the fields of spec side by side";
    issues.push(issueAt(source, ["apiVersion"], message, { key: true }));
    return null;
  }
  const known = kindNamed(kind);
  if (known !== null) return known.read(source, issues);
  issues.push(unknownKind(source, kind));
  return null;
}

function unknownKind(source: YamlDocument, kind: unknown): Issue {
  const known = `known kinds are ${kindNames.join(", ")}`;
  if (kind === undefined) return issueAt(source, [], `kind: this field is missing; ${known}`);
  const near = typeof kind === "string" ? suggestion(kind, kindNames) : "";
  return issueAt(source, ["kind"], `${valueText(kind)} is not known; ${known}${near}`);
}
