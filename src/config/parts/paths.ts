/** Paths of requests in routes and access rules. */
import * as v from "valibot";
import type { ServiceDocument } from "../../model/document.ts";
import { serviceKey } from "../../model/service.ts";
import type { Report } from "../issue_at.ts";
import type { Path } from "../yaml_file.ts";

export const pathForm = "a normal path such as /api: it begins with /, without //, . or .. segments, ? and #";

/** Requests are matched by their normalised path, so no other could ever match. */
export function isPath(text: string): boolean {
  return /^\/[!-~]*$/.test(text) && !/\/\/|\/\.{1,2}(?:\/|$)|[?#]/.test(text);
}

/** Of requests as the app sees them: exact, or `/v1/*` for all below `/v1/`. */
export const pathPattern = v.pipe(
  v.string(pathForm),
  v.maxLength(4096, "a path of at most 4096 characters"),
  v.check(
    (text) => isPath(text.endsWith("/*") ? text.slice(0, -1) : text),
    `${pathForm}, or one that ends in /*`,
  ),
  v.check((text) => !text.replace(/\/\*$/, "/").includes("*"), "* only as the whole last segment"),
);

/** Requests of this service may never have such a path. */
export function checkSlashes(
  service: ServiceDocument | null,
  value: string,
  path: Path,
  report: Report,
): void {
  if (service === null) return;
  const never = (what: string, how: string): void =>
    report(path, `this never matches: ${value} has ${what}, and ${serviceKey(service)} has ${how}`, {
      code: "HED0115",
    });
  const { escapedSlashes, pathParameters } = service;
  if (escapedSlashes !== "keep" && /%2f/i.test(value))
    never("an escaped slash", `escapedSlashes ${escapedSlashes}`);
  if (pathParameters !== undefined && value.includes(";"))
    never("a path parameter", `pathParameters ${pathParameters}`);
}
