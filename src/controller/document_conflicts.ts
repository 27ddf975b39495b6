/** Who changed what meanwhile: an apply that goes by what its operator saw is refused where others changed the same since. */
import { registryKeys } from "../api/messages.ts";
import { Refusal } from "../api/problem.ts";
import { limits } from "../model/limits.ts";
import { documentsMark, type Catalog, type LastChange } from "./catalog.ts";

export interface Author {
  /** Name of the operator. */
  readonly by: string;
  readonly atMs: number;
}

type Marked = { readonly do: "put"; readonly key: string; readonly value: string };

/** What a commit of documents writes beside them. `deleted`: registry keys. */
export function markOf(after: number, { by, atMs }: Author, deleted: readonly string[]): Marked {
  const keys = deleted.map(shownKey).slice(0, limits.deletionsKeptMax);
  const change: LastChange = { after, by, atMs, ...(keys.length === 0 ? {} : { deleted: keys }) };
  return { do: "put", key: documentsMark, value: JSON.stringify(change) };
}

/** Throws where one of these was changed after the revision. `keys`: of the registry, all that would be written or deleted. */
export function refuseChangedSince(catalog: Catalog, keys: readonly string[], revision: number): void {
  const changed = keys.filter((key) => (catalog.texts.get(key)?.modified ?? 0) > revision);
  const gone = catalog.applied > revision ? keys.filter((key) => isGone(catalog, key)) : [];
  if (changed.length + gone.length === 0) return;
  throw new Refusal(
    409,
    `Cannot apply upon revision ${revision}: ${[...changed, ...gone].map((key) => changeText(catalog, key)).join("; ")}`,
    "heddle diff shows what differs now; apply again upon the revision that it names",
  );
}

/** Of two changes at the same moment one is refused. */
export function changedMeanwhile(catalog: Catalog, keys: readonly string[]): Refusal {
  const changes = keys.map((key) => changeText(catalog, key)).join("; ");
  const what = keys.length === 0 ? lastText(catalog) : changes;
  return new Refusal(
    409,
    `Somebody else changed the same documents at the same moment${what === "" ? "" : `: ${what}`}`,
    "Apply again",
  );
}

function isGone({ texts, lastChange }: Catalog, key: string): boolean {
  return !texts.has(key) && lastChange?.deleted?.includes(shownKey(key)) === true;
}

function changeText(catalog: Catalog, key: string): string {
  const [kind = "", namespace = "", name = ""] = shownKey(key).split("/");
  const what = key.startsWith(registryKeys.documents) ? `${kind} ${name}.${namespace}` : `policy ${kind}`;
  const known = catalog.texts.get(key);
  if (known !== undefined) return `${what} was changed${authorText(known)} (revision ${known.modified})`;
  if (!key.startsWith(registryKeys.documents)) return `the ${what} was changed`;
  return `${what} was deleted${authorText(catalog.lastChange ?? {})} (revision ${catalog.applied})`;
}

function lastText({ lastChange, applied }: Catalog): string {
  return lastChange === null ? "" : `the last change was made${authorText(lastChange)} (revision ${applied})`;
}

function authorText({ by, atMs }: Partial<Author>): string {
  const when = atMs === undefined ? "" : ` at ${new Date(atMs).toISOString()}`;
  return `${by === undefined ? "" : ` by ${by}`}${when}`;
}

/** Without what stands before all of its kind: `HTTPRoute/default/web`. */
function shownKey(key: string): string {
  return key.slice(key.indexOf("/") + 1);
}
