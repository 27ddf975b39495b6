/** Policies attached to a service or to a rule of a route. */
import * as v from "valibot";
import type { PolicyUse } from "../../model/document.ts";
import { list, name, object, said } from "../fields.ts";
import { suggestion } from "../issue.ts";
import type { Neighbourhood, PlacedUse } from "../kind.ts";
import { record } from "../record.ts";
import type { Path } from "../yaml_file.ts";

/** A policy's own schema could lose these names on the way, without an issue. */
const lostNames: ReadonlySet<string> = new Set(["constructor", "prototype", "__proto__"]);
const optionName = v.pipe(
  v.string(),
  v.check((text) => !lostNames.has(text), `a name other than ${[...lostNames].join(", ")}`),
);
const optionValue = v.pipe(
  v.unknown(),
  v.check(keepsNames, `a value without keys named ${[...lostNames].join(", ")}`),
);

const policy = object({
  use: said(name, "Name of the policy"),
  with: v.optional(said(record(optionName, optionValue), "Its options, which its own schema checks")),
  side: v.optional(
    said(
      v.picklist(["caller", "server"], "caller or server"),
      "Whose proxy asks it: the caller's, which chooses where a request goes, or the server's, which nobody can pass by (default: caller)",
    ),
  ),
});

export const policies = v.optional(
  said(
    list(policy, 16),
    "Policies that decide about its requests, one after the other; those of the Mesh first",
  ),
);

function keepsNames(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return true;
  return Object.entries(value).every(([key, each]) => !lostNames.has(key) && keepsNames(each));
}

export function expandPolicies(written: v.InferOutput<typeof policies>): PolicyUse[] {
  return (written ?? []).map(({ use, with: options = {}, side }) => ({
    ...{ use, with: options },
    ...(side === "server" ? { side } : {}),
  }));
}

/** With the place of each; `around` is the path of what has them. */
export function placedPolicies(uses: readonly PolicyUse[], around: Path): PlacedUse[] {
  return uses.map((use, at) => ({ use, path: [...around, "policies", at] }));
}

/** Each of them must exist. */
export function checkPolicies(placed: readonly PlacedUse[], { set, report }: Neighbourhood): void {
  const known = set.policies;
  if (known === null) return;
  const all = known.length === 0 ? "; no policy is known" : `; known are ${known.join(", ")}`;
  for (const { use, path } of placed) {
    if (known.includes(use.use)) continue;
    report([...path, "use"], `there is no policy "${use.use}"${suggestion(use.use, known, all)}`, {
      code: "HED0102",
    });
  }
}
