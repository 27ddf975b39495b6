/** What filters of a route make of a request: paths and places as the tables of the Gateway API have them (HTTPPathModifier). */
import type { PathRewrite, Redirect } from "../../model/document.ts";
import type { NormalTarget } from "../../wire/target.ts";

/** `prefix`: what of the path the rule matched. The query stays. */
export function rewrittenTarget(change: PathRewrite, prefix: string, came: NormalTarget): NormalTarget {
  const path = change.whole ? change.value : withPrefix(change.value, prefix, came.path);
  return { target: path + came.target.slice(came.path.length), path };
}

/**
 * Segments stay whole: neither two slashes nor none stand where the rest begins. What is not below the prefix stays: a policy wrote it
 * since, or it is the `*` of OPTIONS.
 */
function withPrefix(value: string, prefix: string, path: string): string {
  const matched = prefix.endsWith("/") ? prefix.slice(0, -1) : prefix;
  if (!path.startsWith(matched) || !/^(?:\/|$)/.test(path.slice(matched.length))) return path;
  const begins = value.endsWith("/") ? value.slice(0, -1) : value;
  return begins + path.slice(matched.length) || "/";
}

/** The Location of a redirect. `authority`: what was asked for, with its port. `spoken`: how; within a machine in clear text. */
export function locationOf(
  redirect: Redirect,
  prefix: string,
  came: NormalTarget,
  authority: string,
  spoken: "http" | "https" = "http",
): string {
  const scheme = redirect.scheme ?? spoken;
  const [, host = authority, asked = ""] = /^(.*?)(?::([0-9]+))?$/.exec(authority) ?? [];
  const port = redirect.port ?? (redirect.scheme === undefined && asked !== "" ? Number(asked) : null);
  const shown = port === null || port === usualPorts[scheme] ? "" : `:${port}`;
  const { target } = redirect.path === undefined ? came : rewrittenTarget(redirect.path, prefix, came);
  // What is asked of a whole server has no path.
  return `${scheme}://${redirect.host ?? host}${shown}${target.startsWith("/") ? target : "/"}`;
}

const usualPorts: Readonly<Record<string, number>> = { http: 80, https: 443 };
