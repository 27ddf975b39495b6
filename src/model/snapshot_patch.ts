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
  const known = new Map(before.destinations.map((each) => [serviceKey(each.service), each]));
  const destinations = after.destinations.filter((each) => {
    const key = serviceKey(each.service);
    const was = known.get(key);
    known.delete(key);
    return was !== each;
  });
  const { destinations: _, version: __, ...was } = before;
  const { destinations: ___, version, ...is } = after;
  const rest = Object.entries(is).filter(
    ([field, value]) => !isSame((was as Readonly<Record<string, unknown>>)[field], value),
  );
  return {
    from: before.version,
    version,
    destinations,
    gone: [...known.keys()],
    rest: Object.fromEntries(rest),
    absent: Object.keys(was).filter((field) => !(field in is)),
  };
}

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
