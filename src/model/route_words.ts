/** What a rule of a route asks of a request, in words. */
import type { RouteMatch } from "./document.ts";

export function matchText(match: RouteMatch): string {
  const words = [
    ...[match.method ?? "", pathText(match), queryText(match), headersText(match)],
    ...[modelText(match), hostText(match), callersText(match)],
  ];
  return words.filter((word) => word !== "").join(" ");
}

export function pathText({ path: { type, value } }: Pick<RouteMatch, "path">): string {
  if (type === "PathPrefix") return value === "/" ? "any path" : `${value} and below`;
  return type === "Exact" ? `exactly ${value}` : `paths that match ${value}`;
}

export function headersText({ headers }: Pick<RouteMatch, "headers">): string {
  return headers.map((each) => valueText(each, ": ")).join(", ");
}

export function queryText({ query = [] }: Pick<RouteMatch, "query">): string {
  return query.map((each) => valueText(each, "=")).join("&");
}

export function hostText({ host }: Pick<RouteMatch, "host">): string {
  return host === undefined ? "" : `for ${host}`;
}

export function modelText({ model }: Pick<RouteMatch, "model">): string {
  if (model === undefined) return "";
  return model.type === "Exact" ? `model ${model.value}` : `models that begin with ${model.value}`;
}

export function callersText({ from }: Pick<RouteMatch, "from">): string {
  return from === undefined ? "" : `from ${from.join(", ")}`;
}

function valueText({ type, name, value }: RouteMatch["headers"][number], is: string): string {
  return `${name}${type === "Exact" ? is : " that matches "}${value}`;
}
