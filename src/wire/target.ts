/**
 * Request targets: told apart by form (RFC 9112 section 3.2), and normalised once (RFC 3986 section 6.2.2) so that routing,
 * access rules and the upstream see the same string.
 */

import type { EscapedSlashes } from "../model/service.ts";

/** The target as it is routed and forwarded. */
export interface NormalTarget {
  readonly target: string;
  readonly path: string;
}

/** True when nothing in the path needs a second look: no escape, no backslash, no dot or slash after a slash. */
function isPlain(target: string): boolean {
  for (let at = 0; at < target.length; at++) {
    const code = target.charCodeAt(at);
    if (code === 0x3f) return true;
    if (code === 0x25 || code === 0x5c) return false;
    if (code === 0x2f && target.charCodeAt(at + 1) === 0x2e) return false;
  }
  return true;
}

/** Normalises an origin-form target; null when it must be refused. */
export function normalTarget(target: string): NormalTarget | null {
  const question = target.indexOf("?");
  const rawPath = question < 0 ? target : target.slice(0, question);
  if (isPlain(target)) return { target, path: rawPath };
  const path = normalPath(rawPath);
  if (path === null) return null;
  return { target: question < 0 ? path : path + target.slice(question), path };
}

/** How a service reads what apps read differently, as its document says. */
export interface PathReading {
  /** What `%2F` is. */
  readonly escapedSlashes: EscapedSlashes;
  /** What `//` is: one slash, or an error. Absent: kept. */
  readonly mergeSlashes?: "merge" | "refuse";
  /** What `;` and the rest of its segment are: left out, or an error. Absent: kept. */
  readonly pathParameters?: "strip" | "refuse";
}

/** Whether each normal target is to that service what it is. */
export function readsAsItIs(reading: PathReading): boolean {
  return (
    reading.escapedSlashes === "keep" &&
    reading.mergeSlashes === undefined &&
    reading.pathParameters === undefined
  );
}

/**
 * What a normal target is to a service that reads paths so; null when it takes none like it, or when a dot segment was hidden.
 * Once only: what was read stays as it is when it is read again, as the proxy of the service does.
 */
export function readTarget(reading: PathReading, target: string): NormalTarget | null {
  const question = target.indexOf("?");
  const before = question < 0 ? target : target.slice(0, question);
  const path = readPath(reading, before);
  if (path === null) return null;
  return path === before ? { target, path } : { target: path + target.slice(before.length), path };
}

/** In the order in which a lenient app does it. */
function readPath(
  { escapedSlashes, mergeSlashes, pathParameters }: PathReading,
  given: string,
): string | null {
  let path = given;
  if ((escapedSlashes === "refuse" || escapedSlashes === "decode") && /%2f/i.test(path)) {
    if (escapedSlashes === "refuse") return null;
    path = path.replaceAll(/%2f/gi, "/");
  }
  if (pathParameters !== undefined && path.includes(";")) {
    if (pathParameters === "refuse") return null;
    path = path.replaceAll(/;[^/]*/g, "");
  }
  if (mergeSlashes !== undefined && path.includes("//")) {
    if (mergeSlashes === "refuse") return null;
    path = path.replaceAll(/\/{2,}/g, "/");
  }
  return path !== given && /\/\.{1,2}(?:\/|$)/.test(path) ? null : path;
}

/** Dot segments removed, escapes of unreserved characters decoded, other escapes in upper case. */
function normalPath(path: string): string | null {
  if (path.includes("\\")) return null;
  const decoded = decodeUnreserved(path);
  if (decoded === null) return null;
  const kept: string[] = [];
  const segments = decoded.split("/");
  for (let at = 1; at < segments.length; at++) {
    const segment = segments[at] as string;
    const last = at === segments.length - 1;
    if (segment === ".") {
      if (last) kept.push("");
    } else if (segment === "..") {
      kept.pop();
      if (last) kept.push("");
    } else kept.push(segment);
  }
  return `/${kept.join("/")}`;
}

/** null for a malformed escape, %00, an escaped backslash, or an escaped dot that would make a dot segment. */
function decodeUnreserved(path: string): string | null {
  if (!path.includes("%")) return path;
  let out = "";
  for (let at = 0; at < path.length; at++) {
    const letter = path[at] as string;
    if (letter !== "%") {
      out += letter;
      continue;
    }
    const hex = path.slice(at + 1, at + 3);
    if (!/^[0-9A-Fa-f]{2}$/.test(hex)) return null;
    const code = Number.parseInt(hex, 16);
    if (code === 0 || code === 0x5c) return null;
    if (code === 0x2e && isDotSegmentAround(path, at)) return null;
    out += /[A-Za-z0-9._~-]/.test(String.fromCharCode(code))
      ? String.fromCharCode(code)
      : `%${hex.toUpperCase()}`;
    at += 2;
  }
  return out;
}

/** Whether the segment around an escaped dot consists of nothing but dots: it would reappear as one after decoding. */
function isDotSegmentAround(path: string, at: number): boolean {
  const start = path.lastIndexOf("/", at) + 1;
  const slash = path.indexOf("/", at);
  const segment = path.slice(start, slash < 0 ? path.length : slash);
  return /^(?:\.|%2e)+$/i.test(segment);
}

/** Host and port of an authority, lower case; null when it is not one (userinfo, list, path, empty). */
export function normalAuthority(text: string): string | null {
  const match = /^(?:[A-Za-z0-9\-._~]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/.exec(text);
  return match === null ? null : text.toLowerCase();
}
