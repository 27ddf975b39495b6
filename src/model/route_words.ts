/** What a rule of a route asks of a request, in words. */
import type { RouteMatch } from "./document.ts";

export function matchText(match: RouteMatch): string {
  const words = [match.method ?? "", pathText(match), headersText(match)];
  return words.filter((word) => word !== "").join(" ");
}

export function pathText({ path: { type, value } }: Pick<RouteMatch, "path">): string {
  if (type === "PathPrefix") return value === "/" ? "any path" : `${value} and below`;
  return type === "Exact" ? `exactly ${value}` : `paths that match ${value}`;
}

export function headersText({ headers }: Pick<RouteMatch, "headers">): string {
  return headers
    .map(({ type, name, value }) => `${name}${type === "Exact" ? ": " : " that matches "}${value}`)
    .join(", ");
}
