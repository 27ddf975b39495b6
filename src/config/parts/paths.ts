/** Paths of requests in routes and access rules. */
import type { ServiceDocument } from "../../model/document.ts";
import { serviceKey } from "../../model/service.ts";
import type { Report } from "../issue_at.ts";
import type { Path } from "../yaml_file.ts";

export const pathForm = "a normal path such as /api: it begins with /, without //, . or .. segments, ? and #";

/** Requests are matched by their normalised path, so no other could ever match. */
export function isPath(text: string): boolean {
  return /^\/[!-~]*$/.test(text) && !/\/\/|\/\.{1,2}(?:\/|$)|[?#]/.test(text);
}

/** Requests of this service may never have such a path. */
export function checkSlashes(
  service: ServiceDocument | null,
  value: string,
  path: Path,
  report: Report,
): void {
  if (service === null || service.escapedSlashes === "keep" || !/%2f/i.test(value)) return;
  const { escapedSlashes } = service;
  const message = `this never matches: ${value} has an escaped slash, and ${serviceKey(service)} has escapedSlashes ${escapedSlashes}`;
  report(path, message, { severity: "warning" });
}
