/** Which requests a rule of a route is for: `match` as it is written, sugar included, and what it means. */
import * as v from "valibot";
import type { HeaderMatch, PathMatch, QueryMatch, RouteMatch } from "../../model/document.ts";
import type { ModelMatch } from "../../model/inference.ts";
import { compileExpression } from "../../model/expression.ts";
import { limits } from "../../model/limits.ts";
import { list, method, object, said } from "../fields.ts";
import type { Report } from "../issue_at.ts";
import { record } from "../record.ts";
import type { Path, YamlDocument } from "../yaml_file.ts";
import { isCaller } from "./callers.ts";
import { isPath, pathForm } from "./paths.ts";

const tokenForm = /^[A-Za-z0-9!#$%&'*+\-.^_`|~]{1,256}$/;
const path = v.pipe(
  v.string(pathForm),
  v.maxLength(4096, "a path of at most 4096 characters"),
  v.check(isPath, pathForm),
);
const expression = v.pipe(
  v.string("a regular expression"),
  v.check(isExpression, (issue) => expressionForm(issue.input)),
);
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
  v.check((text) => text.startsWith("~ ") || isPath(text.replace(/^= /, "")), pathForm),
);

export const headerName = v.pipe(v.string("a header name"), v.regex(tokenForm, "a header name"));
const parameterName = v.pipe(
  v.string("the name of a query parameter"),
  v.minLength(1, "the name of a query parameter"),
  v.maxLength(256, "a name of at most 256 characters"),
);
const headerValues = valuesOf(headerName, "the header's value");
const queryValues = valuesOf(parameterName, "the parameter's value");

/** `{name: value}`, or a list of `{type, name, value}`. */
function valuesOf<const Name extends v.GenericSchema<string>>(name: Name, form: string) {
  const value = v.pipe(v.string(form), v.maxLength(4096, "a value of at most 4096 characters"));
  const type = v.optional(v.picklist(["Exact", "RegularExpression"], "Exact or RegularExpression"));
  const exact = object({ type, name, value });
  const byExpression = object({ type: v.literal("RegularExpression"), name, value: expression });
  const listed = list(
    v.lazy((each) => (isExpressionType(each) ? byExpression : exact)),
    16,
  );
  return v.lazy((input) => (Array.isArray(input) ? listed : record(name, value)));
}

const modelForm = `the name of a model, at most ${limits.modelNameBytesMax} bytes`;
export const modelName = v.pipe(
  v.string(modelForm),
  v.minLength(1, modelForm),
  v.check((text) => new TextEncoder().encode(text).length <= limits.modelNameBytesMax, modelForm),
);
const host = v.pipe(
  v.string("a host such as shop.example or *.example"),
  v.regex(
    /^(?:\*\.)?(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/,
    "a host such as shop.example or *.example, in lower case and without a port",
  ),
);
const callerForm = "a service such as web, a SPIFFE ID, or one that ends in /*";
const caller = v.pipe(v.string(callerForm), v.check(isCaller, callerForm));
const modelForms = object({
  exact: v.optional(said(modelName, "The whole name")),
  prefix: v.optional(said(modelName, "What the name begins with")),
});
const grpcWord = (what: string, form: RegExp) => v.pipe(v.string(what), v.regex(form, what));
const grpc = object({
  service: v.optional(
    said(
      grpcWord("a gRPC service such as shop.v1.Orders", /^[A-Za-z_][A-Za-z0-9_.]{0,1023}$/),
      "Service with its package: shop.v1.Orders",
    ),
  ),
  method: v.optional(
    said(grpcWord("a gRPC method such as Get", /^[A-Za-z_][A-Za-z0-9_]{0,1023}$/), "Method of it"),
  ),
});

export const match = object({
  path: v.optional(
    said(
      v.lazy((input) =>
        typeof input === "string" ? shortPath : isExpressionType(input) ? expressionPath : plainPath,
      ),
      'Path of the request: /prefix by whole segments, "= /exact", "~ ^/expression", or {type, value}',
    ),
  ),
  grpc: v.optional(said(grpc, "Calls of gRPC, in place of the path: {service: shop.v1.Orders, method: Get}")),
  method: v.optional(said(method, "Method of the request")),
  headers: v.optional(
    said(
      headerValues,
      "Header fields: {x-user: beta}, or a list of {type, name, value} with type Exact or RegularExpression",
    ),
  ),
  query: v.optional(
    said(
      queryValues,
      "Parameters of the query, of equal names the first: {v: '2'}, or a list as headers have it",
    ),
  ),
  host: v.optional(
    said(host, "Host that the request names, without its port: exact, or *.example for all below it"),
  ),
  model: v.optional(
    said(
      v.lazy((input) => (typeof input === "string" ? modelName : modelForms)),
      "Model that the request's body asks for, of a service with inference: qwen3-32b, {exact: qwen3-32b} or {prefix: qwen3-}",
    ),
  ),
  from: v.optional(
    said(
      v.lazy((input) => (typeof input === "string" ? caller : list(caller, 16, 1))),
      "Who calls, one of them: a service, a SPIFFE ID, or one that ends in /*",
    ),
  ),
});

export type WrittenMatch = v.InferOutput<typeof match>;

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

export function checkMatch(written: WrittenMatch, path: Path, report: Report): void {
  if (typeof written.model === "object") {
    const { exact, prefix } = written.model;
    if ((exact === undefined) === (prefix === undefined))
      report([...path, "model"], "expected either exact or prefix", { key: true });
  }
  if (written.grpc === undefined) return;
  if (written.path !== undefined)
    report([...path, "grpc"], "path and grpc exclude each other", { key: true });
  if (written.grpc.service === undefined && written.grpc.method === undefined)
    report([...path, "grpc"], "this names nothing: expected service, method or both", { key: true });
}

export function expandMatch(written: WrittenMatch): RouteMatch {
  const { host, from, model } = written;
  const query = expandValues(written.query);
  return {
    path: written.grpc === undefined ? expandPath(written.path) : grpcPath(written.grpc),
    method: written.method ?? null,
    headers: expandHeaders(written.headers),
    ...(query.length === 0 ? {} : { query }),
    ...(host === undefined ? {} : { host }),
    ...(model === undefined ? {} : { model: expandModel(model) }),
    ...(from === undefined ? {} : { from: typeof from === "string" ? [from] : from }),
  };
}

function expandModel(written: NonNullable<WrittenMatch["model"]>): ModelMatch {
  if (typeof written === "string") return { type: "Exact", value: written };
  const { exact, prefix = "" } = written;
  return exact === undefined ? { type: "Prefix", value: prefix } : { type: "Exact", value: exact };
}

/** Where a match of a rule was written, from the rule on. */
export function matchPlace({ value }: YamlDocument, rule: number, match: number): Path {
  const { rules } = value as { readonly rules: readonly { readonly matches?: unknown }[] };
  return rules[rule]?.matches === undefined ? ["match"] : ["matches", match];
}

/** Calls of gRPC are requests for `/package.Service/Method`. */
function grpcPath({ service, method }: NonNullable<WrittenMatch["grpc"]>): PathMatch {
  if (service === undefined) return { type: "RegularExpression", value: `^/[^/]+/${method ?? ""}$` };
  if (method === undefined) return { type: "PathPrefix", value: `/${service}` };
  return { type: "Exact", value: `/${service}/${method}` };
}

function expandPath(path: WrittenMatch["path"]): PathMatch {
  if (path === undefined) return { type: "PathPrefix", value: "/" };
  if (typeof path !== "string") return pathMatch(path.type ?? "PathPrefix", path.value);
  if (path.startsWith("= ")) return pathMatch("Exact", path.slice(2));
  if (path.startsWith("~ ")) return pathMatch("RegularExpression", path.slice(2));
  return pathMatch("PathPrefix", path);
}

/** A prefix matches whole segments, so a slash at its end says nothing and must not make it look longer. */
function pathMatch(type: PathMatch["type"], value: string): PathMatch {
  const plain = type === "PathPrefix" && value.length > 1 && value.endsWith("/") ? value.slice(0, -1) : value;
  return { type, value: plain };
}

function expandHeaders(headers: WrittenMatch["headers"]): HeaderMatch[] {
  const seen = new Set<string>();
  return expandValues(headers)
    .map((each) => ({ ...each, name: each.name.toLowerCase() }))
    .filter((each) => !seen.has(each.name) && seen.add(each.name));
}

/** Of equal names only the first counts (Gateway API). */
function expandValues(values: WrittenMatch["query"]): QueryMatch[] {
  if (!Array.isArray(values))
    return Object.entries(values ?? {}).map(([name, value]) => ({ type: "Exact", name, value }));
  const seen = new Set<string>();
  return values
    .map(({ type = "Exact", name, value }) => ({ type, name, value }))
    .filter((each) => !seen.has(each.name) && seen.add(each.name));
}
