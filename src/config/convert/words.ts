/** What the dialects have in common: matches of paths and values, weights, edits of headers. */
import type { HeaderMatch, PathMatch, RouteMatch } from "../../model/document.ts";
import { isReservedField } from "../../model/reserved_fields.ts";
import type { Fields } from "./origin.ts";
import { saying, type Written } from "./target.ts";

export const everyPath: PathMatch = { type: "PathPrefix", value: "/" };
export const everything: RouteMatch = { path: everyPath, method: null, headers: [] };

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, (char) => (char === "/" ? "/" : `\\${char}`));
}

/** Paths that begin so, also within a segment: `/api` has `/apix`, which a prefix of heddle has not. */
export function beginning(text: string): PathMatch {
  return text === "/" || text === "" ? everyPath : { type: "RegularExpression", value: `^${escaped(text)}` };
}

/** Expressions of Envoy are for the whole text. */
export function whole(expression: string): string {
  return `^(?:${expression})$`;
}

/** `invert` and other conditions that heddle has not are refused by who reads them. */
export function headerThat(
  name: string,
  how: "exact" | "prefix" | "suffix" | "regex" | "contains" | "present",
  value: string,
): HeaderMatch {
  const lower = name.toLowerCase();
  if (how === "exact") return { type: "Exact", name: lower, value };
  const text = escaped(value);
  const expressions = {
    ...{ prefix: `^${text}`, suffix: `${text}$`, contains: text, regex: whole(value), present: ".*" },
  };
  return { type: "RegularExpression", name: lower, value: expressions[how] };
}

/** Header edits as heddle has them. Names that it keeps for itself are named as lost. */
export function headerEdits(
  set: Texts,
  add: Texts,
  remove: readonly string[],
  fields: Fields,
): Written | undefined {
  const kept = (all: Texts): Written | undefined =>
    saying(
      Object.fromEntries(
        Object.entries(all).map(([name, value]) => {
          if (isReservedField(name.toLowerCase())) {
            fields.origin.loss(
              fields.path,
              `the header ${name} is not for routes to change: its edit is left out`,
            );
            return [name, undefined];
          }
          if (/%[A-Z_]+[(%]/.test(value)) {
            fields.origin.loss(
              fields.path,
              `${value} stands for a value there, and is text here: the edit of ${name} is left out`,
            );
            return [name, undefined];
          }
          return [name, value];
        }),
      ),
    );
  const removed = remove.filter((name) => !isReservedField(name.toLowerCase()));
  return saying({ set: kept(set), add: kept(add), remove: removed.length === 0 ? undefined : removed });
}

type Texts = Readonly<Record<string, string>>;

/** Percentages with decimals as whole weights. */
export function wholeWeights(weights: readonly number[]): number[] {
  const isWhole = weights.every(Number.isInteger);
  return weights.map((weight) => (isWhole ? weight : Math.round(weight * 100)));
}
