/**
 * What changed from one snapshot of a machine to the next: services that it calls, each whole, and what else differs. Whoever has the one
 * before makes the next of it, and its version says whether that is right.
 */
import { serviceKey } from "./service.ts";
import type { Destination, Snapshot } from "./snapshot.ts";

type Rest = Omit<Snapshot, "version" | "destinations">;

export interface SnapshotPatch {
  /** Version of the one before, and of the next. */
  readonly from: string;
  readonly version: string;
  /** New ones, and those that differ. */
  readonly destinations: readonly Destination[];
  /** Keys of services that are in it no more. */
  readonly gone: readonly string[];
  /** Fields that differ, besides. */
  readonly rest: Partial<Rest>;
  /** Fields that are in it no more. */
  readonly absent: readonly string[];
}

/** Parts that are the same object in both are not looked into. */
export function patchBetween(before: Snapshot, after: Snapshot): SnapshotPatch {
  const common = new Set(before.destinations);
  const destinations = after.destinations.filter((each) => !common.delete(each));
  const still = new Set(destinations.map((each) => serviceKey(each.service)));
  const gone = [...common].map((each) => serviceKey(each.service)).filter((key) => !still.has(key));
  const was = before as unknown as Readonly<Record<string, unknown>>;
  const rest: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(after))
    if (!own.has(field) && !isSame(was[field], value)) rest[field] = value;
  const absent = Object.keys(before).filter((field) => !(field in after));
  return { from: before.version, version: after.version, destinations, gone, rest, absent };
}

/** What a patch says otherwise. */
const own: ReadonlySet<string> = new Set(["version", "destinations"]);

/** The next one, or something else where `before` was not what the patch was made of: its version tells. */
export function patched(before: Snapshot, patch: SnapshotPatch): Snapshot {
  const { destinations, gone, rest, absent, version } = patch;
  const all = new Map(before.destinations.map((each) => [serviceKey(each.service), each]));
  for (const key of gone) all.delete(key);
  for (const each of destinations) all.set(serviceKey(each.service), each);
  const keys = [...all.keys()].sort();
  const fields = Object.entries({ ...before, ...rest }).filter(([field]) => !absent.includes(field));
  return {
    ...(Object.fromEntries(fields) as unknown as Snapshot),
    destinations: keys.map((key) => all.get(key) as Destination),
    version,
  };
}

function isSame(one: unknown, other: unknown): boolean {
  return one === other || JSON.stringify(one) === JSON.stringify(other);
}
