/** What a rule of a route does with the requests that it matches, beside sending them on: `requestHeaders`, `rewrite`, `redirect` … */
import * as v from "valibot";
import type {
  BackendFilters,
  DirectAnswer,
  FieldChanges,
  PathRewrite,
  Redirect,
  RouteFilters,
  RouteMatch,
} from "../../model/document.ts";
import { limits } from "../../model/limits.ts";
import { isReservedField } from "../../model/reserved_fields.ts";
import { list, object, port, said } from "../fields.ts";
import type { Report } from "../issue_at.ts";
import { record } from "../record.ts";
import type { Path } from "../yaml_file.ts";
import { corsFilter, expandCors } from "./cors.ts";
import { expandFault, faultFilter } from "./fault.ts";
import { expandMirrors, mirrorFilter } from "./mirror.ts";
import { isPath, pathForm } from "./paths.ts";
import { headerName, modelName } from "./route_match.ts";

const changeable = v.pipe(
  headerName,
  v.check((name) => !isReservedField(name), "a header that a route may change"),
);
const valueForm = "a value of printable characters, without spaces around it";
const headerValue = v.pipe(
  v.string(valueForm),
  v.maxLength(4096, "a value of at most 4096 characters"),
  v.regex(/^(?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?$/, valueForm),
);
const values = v.pipe(
  record(changeable, headerValue),
  v.check((written) => Object.keys(written).length <= 16, "at most 16"),
);
const headerChanges = object({
  set: v.optional(said(values, "Fields that replace those of their name: {x-team: blue}")),
  add: v.optional(said(values, "Fields that stand beside those of their name")),
  remove: v.optional(said(list(changeable, 16), "Names of fields that are left out")),
});

const fieldFilters = {
  requestHeaders: v.optional(said(headerChanges, "Header fields of its requests: set, add, remove")),
  responseHeaders: v.optional(said(headerChanges, "Header fields of its answers: set, add, remove")),
};
/** Of a backend as of a rule: what is written of its own share of the requests. */
export const backendFilterFields = {
  ...fieldFilters,
  model: v.optional(
    said(
      modelName,
      "Model that it is asked for, in place of the one that the request names (default: that one)",
    ),
  ),
};

const escapesForm = `${pathForm}, without \\ and with escapes in capitals where nothing else can stand`;

/** Letters, digits and dots stand for themselves; what is no escape, NUL and the backslash are refused of clients too. */
function hasNormalEscapes(path: string): boolean {
  const isNormal = (hex: string): boolean =>
    /^[0-9A-F]{2}$/.test(hex) && !/[\0\\\w.~-]/.test(String.fromCharCode(Number.parseInt(hex, 16)));
  return !path.includes("\\") && [...path.matchAll(/%(.{0,2})/g)].every(([, hex = ""]) => isNormal(hex));
}

/** Normalised as paths of clients are: access rules see it as it is written here, and an app reads it. */
const plainPath = v.pipe(
  v.string(pathForm),
  v.maxLength(4096, "a path of at most 4096 characters"),
  v.check((text) => isPath(text) && hasNormalEscapes(text), escapesForm),
);
const pathFields = {
  path: v.optional(said(plainPath, "Path in place of the whole one")),
  prefix: v.optional(said(plainPath, "Path in place of the prefix that the rule matches; the rest stays")),
};
const hostForm = "a host such as shop.example, in lower case and without a port";
const host = v.pipe(
  v.string(hostForm),
  v.maxLength(253, hostForm),
  v.regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/, hostForm),
);
const rewrite = object({
  ...pathFields,
  host: v.optional(said(host, "Host that the app is asked for")),
  model: v.optional(
    said(modelName, "Model that is asked for, where the backend says no other; the service has inference"),
  ),
});
const redirect = object({
  ...pathFields,
  scheme: v.optional(said(v.picklist(["http", "https"], "http or https"), "Scheme of the new place")),
  host: v.optional(said(host, "Host of the new place (default: the one that was asked for)")),
  port: v.optional(said(port, "Port of the new place (default: that of the scheme, else the one asked for)")),
  status: v.optional(
    said(v.picklist([301, 302, 303, 307, 308], "301, 302, 303, 307 or 308"), "Status (default: 302)"),
  ),
});
const statusForm = "a status from 200 to 599";
const respond = object({
  status: said(
    v.pipe(
      v.number(statusForm),
      v.integer(statusForm),
      v.minValue(200, statusForm),
      v.maxValue(599, statusForm),
    ),
    "Status of the answer",
  ),
  headers: v.optional(said(values, "Its header fields: {content-type: text/plain}")),
  body: v.optional(
    said(
      v.pipe(
        v.string("a text"),
        v.maxLength(limits.directAnswerLengthMax, `at most ${limits.directAnswerLengthMax} characters`),
      ),
      "Its body (default: none)",
    ),
  ),
});

export const filterFields = {
  ...fieldFilters,
  rewrite: v.optional(said(rewrite, "What the app gets in place of what was asked for")),
  redirect: v.optional(said(redirect, "Its requests are sent elsewhere by an answer with Location")),
  respond: v.optional(said(respond, "Its requests are answered so, and reach no service")),
  cors: v.optional(said(corsFilter, "Which pages of other origins may read its answers (CORS)")),
  mirror: v.optional(
    said(mirrorFilter, "Services that get a copy of its requests, whose answers nobody gets"),
  ),
  fault: v.optional(
    said(faultFilter, "Faults made on purpose, to see what callers do then; the Mesh must allow them"),
  ),
};

const filters = object(filterFields);
const backendFilters = object(backendFilterFields);
type WrittenFilters = v.InferOutput<typeof filters>;
export type WrittenBackendFilters = v.InferOutput<typeof backendFilters>;
type WrittenPath = { readonly path?: string | undefined; readonly prefix?: string | undefined };

/** null: it has none. */
export function expandFilters(written: WrittenFilters, namespace: string): RouteFilters | null {
  const { rewrite, redirect, respond, cors, mirror = [], fault } = written;
  const expanded: RouteFilters = {
    ...expandBackendFilters({ ...written, model: rewrite?.model }),
    ...(rewrite === undefined ? {} : { rewrite: { ...hostOf(rewrite), ...pathOf(rewrite) } }),
    ...(redirect === undefined ? {} : { redirect: expandRedirect(redirect) }),
    ...(respond === undefined ? {} : { respond: expandRespond(respond) }),
    ...(cors === undefined ? {} : { cors: expandCors(cors) }),
    ...(mirror.length === 0 ? {} : { mirrors: expandMirrors(mirror, namespace) }),
    ...(fault === undefined ? {} : { fault: expandFault(fault) }),
  };
  return Object.keys(expanded).length === 0 ? null : expanded;
}

export function expandBackendFilters(written: WrittenBackendFilters): BackendFilters | null {
  const { requestHeaders, responseHeaders, model } = written;
  const expanded: BackendFilters = {
    ...(requestHeaders === undefined ? {} : { requestHeaders: expandChanges(requestHeaders) }),
    ...(responseHeaders === undefined ? {} : { responseHeaders: expandChanges(responseHeaders) }),
    ...(model === undefined ? {} : { model }),
  };
  return Object.keys(expanded).length === 0 ? null : expanded;
}

function expandChanges({ set, add, remove = [] }: v.InferOutput<typeof headerChanges>): FieldChanges {
  return { remove: remove.map((name) => name.toLowerCase()), set: pairsOf(set), add: pairsOf(add) };
}

function pairsOf(values: Readonly<Record<string, string>> = {}): string[] {
  return Object.entries(values).flatMap(([name, value]) => [name.toLowerCase(), value]);
}

function hostOf({ host }: { readonly host?: string | undefined }): { readonly host?: string } {
  return host === undefined ? {} : { host };
}

function pathOf({ path, prefix }: WrittenPath): { readonly path?: PathRewrite } {
  if (path !== undefined) return { path: { whole: true, value: path } };
  return prefix === undefined ? {} : { path: { whole: false, value: prefix } };
}

function expandRedirect(written: NonNullable<WrittenFilters["redirect"]>): Redirect {
  const { scheme, port, status = 302 } = written;
  return {
    status,
    ...hostOf(written),
    ...pathOf(written),
    ...(scheme === undefined ? {} : { scheme }),
    ...(port === undefined ? {} : { port }),
  };
}

function expandRespond({ status, headers, body = "" }: NonNullable<WrittenFilters["respond"]>): DirectAnswer {
  return { status, headers: pairsOf(headers), body };
}

interface CheckedRule extends WrittenFilters {
  readonly split?: unknown;
  readonly backends?: unknown;
}

/** What excludes each other, and prefixes that are replaced where none is matched. */
export function checkFilters(
  rule: CheckedRule,
  matches: readonly RouteMatch[],
  path: Path,
  report: Report,
): void {
  const ways = (["split", "backends", "redirect", "respond", "rewrite"] as const).filter(
    (each) => rule[each] !== undefined,
  );
  const answered = ways.find((each) => each === "redirect" || each === "respond");
  if (answered !== undefined)
    for (const other of ways)
      if (other !== answered)
        report([...path, other], `${answered} and ${other} exclude each other`, { key: true });
  if (answered !== undefined && rule.mirror !== undefined)
    report([...path, "mirror"], `what ${answered} answers goes to no service, so nothing of it is mirrored`, {
      key: true,
    });
  const { host, scheme, port, path: whole, prefix } = rule.redirect ?? {};
  const changed = [host, scheme, port, whole, prefix].some((each) => each !== undefined);
  if (rule.redirect !== undefined && !changed) {
    const message =
      "this sends clients to where they came from, again and again: say host, scheme, port, path or prefix";
    report([...path, "redirect"], message, { key: true, code: "HED0150" });
  }
  for (const field of ["rewrite", "redirect"] as const) {
    const written = rule[field];
    if (written?.path !== undefined && written.prefix !== undefined)
      report([...path, field, "path"], "path and prefix exclude each other", { key: true });
    const other = matches.find((match) => match.path.type !== "PathPrefix");
    if (written?.prefix === undefined || other === undefined) continue;
    const message = `this replaces a prefix, and the rule matches a path of type ${other.path.type}`;
    report([...path, field, "prefix"], message, { key: true });
  }
}
