/**
 * CORS filters of routes, by the Fetch standard ("CORS protocol") and HTTPCORSFilter of the Gateway API: which answer a preflight
 * request gets, and what other answers say of who may read them.
 */
import type { DirectAnswer } from "../../model/document.ts";
import type { Cors } from "../../model/route_filters.ts";
import type { FieldEdits, Fields } from "../../wire/fields.ts";

const allowOrigin = "access-control-allow-origin";
const allowCredentials = "access-control-allow-credentials";

export interface Crossing {
  /** To a preflight request, which reaches no service; null: it is none. */
  readonly preflight: DirectAnswer | null;
  /** What the answer of the service says beside; what it says of it by itself counts for nothing. */
  readonly answer: FieldEdits;
}

/** null: the request comes from no page, so nobody asks. */
export function crossing(cors: Cors, method: string, fields: Fields): Crossing | null {
  const origin = fields.get("origin");
  if (origin === null) return null;
  const isAllowed = cors.origins.some((pattern) => fitsOrigin(pattern, origin));
  const asked = method === "OPTIONS" ? fields.get("access-control-request-method") : null;
  const answer = answerEdits(cors, isAllowed ? origin : null);
  if (asked === null) return { preflight: null, answer };
  const status = isAllowed ? 200 : 403;
  const body = isAllowed ? "" : "heddle: this origin is not among those that the route allows (cors).\n";
  const headers = isAllowed ? preflightFields(cors, asked, fields) : [];
  return { preflight: { status, headers, body }, answer };
}

/** `origin`: the one that may read it, null for none. */
function answerEdits(cors: Cors, origin: string | null): FieldEdits {
  const isForAll = cors.origins.includes("*") && !cors.credentials;
  // Caches must not hand one origin's answer to another.
  const add = isForAll ? [] : ["vary", "origin"];
  const set: string[] = [];
  if (origin !== null) {
    set.push(allowOrigin, isForAll ? "*" : origin);
    if (cors.credentials) set.push(allowCredentials, "true");
    if (cors.expose.length > 0) set.push("access-control-expose-headers", cors.expose.join(", "));
  }
  return { remove: [allowOrigin, allowCredentials, "access-control-expose-headers"], set, add };
}

/** Where there are credentials the wildcard means nothing to browsers: what was asked for stands in for it. */
function preflightFields({ methods, headers, credentials, maxAgeS }: Cors, asked: string, fields: Fields) {
  const said: string[] = [];
  const [names, wanted] = [methods.join(", "), fields.get("access-control-request-headers")];
  const allowed = names === "*" && credentials ? asked : names;
  if (allowed !== "") said.push("access-control-allow-methods", allowed);
  const taken = headers.includes("*") && credentials ? wanted : headers.join(", ");
  if (taken !== null && taken !== "") said.push("access-control-allow-headers", taken);
  said.push("access-control-max-age", String(maxAgeS));
  return said;
}

const originForm = /^([a-z][a-z0-9+.-]*):\/\/(\[[0-9a-f:.]+\]|[^:/?#[\]]+)(?::([0-9]+|\*))?$/;
const usualPorts: Readonly<Record<string, string>> = { http: "80", https: "443" };

/** `*.shop.example` stands for one label and more below it; a port that is not said is the usual one of its scheme. */
function fitsOrigin(pattern: string, origin: string): boolean {
  if (pattern === "*") return true;
  const [wanted, came] = [originForm.exec(pattern), originForm.exec(origin.toLowerCase())];
  if (wanted === null || came === null) return false;
  const [, scheme = "", host = "", port = usualPorts[scheme] ?? ""] = wanted;
  const [, ownScheme = "", own = "", ownPort = usualPorts[ownScheme] ?? ""] = came;
  if (scheme !== ownScheme || (port !== "*" && port !== ownPort) || own.includes("*")) return false;
  return host === "*" || (host.startsWith("*.") ? own.endsWith(host.slice(1)) : own === host);
}
