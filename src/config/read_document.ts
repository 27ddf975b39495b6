/** One YAML value against the schema of its kind: the typed value, or every problem with its place. */
import * as v from "valibot";
import { nearest, type Issue } from "./issue.ts";
import { kinds, schemas, type Kind, type Written } from "./schema.ts";
import type { Path, YamlDocument } from "./yaml_file.ts";

export type ReadResult<K extends Kind> =
  | { readonly ok: true; readonly kind: K; readonly value: Written<K> }
  | { readonly ok: false; readonly issues: Issue[] };

export function readDocument(document: YamlDocument): ReadResult<Kind> {
  const { value } = document;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return { ok: false, issues: [issueAt(document, [], "Expected a document with kind and name")] };
  }
  const kind = (value as { kind?: unknown }).kind;
  if (!kinds.includes(kind as Kind)) return { ok: false, issues: [unknownKind(document, kind)] };
  const parsed = v.safeParse(schemas[kind as Kind], value);
  if (parsed.success) return { ok: true, kind: kind as Kind, value: parsed.output as Written<Kind> };
  return { ok: false, issues: parsed.issues.flatMap((issue) => describe(document, issue)) };
}

export function issueAt(
  document: YamlDocument,
  path: Path,
  message: string,
  severity: Issue["severity"] = "error",
  key = false,
): Issue {
  return { file: document.file, ...document.place(path, key), severity, message };
}

function unknownKind(document: YamlDocument, kind: unknown): Issue {
  if (kind === undefined)
    return issueAt(document, [], `kind: this field is missing; the kinds are ${kinds.join(", ")}`);
  const near = typeof kind === "string" ? nearest(kind, kinds) : null;
  const suggestion = near === null ? `; the kinds are ${kinds.join(", ")}` : `; did you mean ${near}?`;
  return issueAt(document, ["kind"], `kind: there is no kind ${JSON.stringify(kind)}${suggestion}`);
}

type RawIssue = v.BaseIssue<unknown>;

function describe(document: YamlDocument, issue: RawIssue): Issue[] {
  const path = pathOf(issue);
  // A union failed: what is wrong inside its likeliest branch says more than that none fits.
  if (issue.type === "union" && issue.issues !== undefined) {
    const deeper = issue.issues.filter(
      (each) => (each.path?.length ?? 0) > 0 || each.type !== issue.issues?.[0]?.type,
    );
    const chosen = deeper.length > 0 ? deeper : issue.issues;
    return chosen.slice(0, 1).map((each) => one(document, each, [...path, ...pathOf(each)]));
  }
  return [one(document, issue, path)];
}

function one(document: YamlDocument, issue: RawIssue, path: Path): Issue {
  const shown = path
    .map((step, at) => (typeof step === "number" ? `[${step}]` : at === 0 ? step : `.${step}`))
    .join("");
  if (issue.type === "strict_object" && issue.expected === "never") {
    const key = String(path.at(-1));
    const near = nearest(key, allKeys);
    const cure = near === null ? "" : `; did you mean ${near}?`;
    return issueAt(document, path, `${shown}: this field is not known${cure}`, "error", true);
  }
  if (issue.received === "undefined")
    return issueAt(document, path.slice(0, -1), `${shown}: this field is missing`);
  const expected = issue.message.startsWith("expected")
    ? issue.message
    : `expected ${issue.expected ?? issue.message}`;
  return issueAt(document, path, `${shown}: ${JSON.stringify(issue.input)} does not fit, ${expected}`);
}

function pathOf(issue: RawIssue): Path {
  return (issue.path ?? []).map((item) => item.key as string | number);
}

/** Every field name there is: the candidates for a misspelt one. */
const allKeys: readonly string[] = [
  ...[
    "kind",
    "name",
    "namespace",
    "port",
    "protocol",
    "subsets",
    "health",
    "balance",
    "stream",
    "policies",
    "use",
    "with",
  ],
  ...[
    "service",
    "order",
    "rules",
    "match",
    "matches",
    "split",
    "backends",
    "timeouts",
    "idempotent",
    "path",
    "method",
    "headers",
  ],
  ...[
    "mode",
    "deny",
    "allow",
    "from",
    "methods",
    "paths",
    "address",
    "services",
    "host",
    "httpPort",
    "labels",
    "upstreams",
    "bind",
  ],
  ...["http", "every", "request", "subset", "weight", "type", "value"],
];
