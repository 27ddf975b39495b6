/**
 * Which virtual address each service has: on loopback, the same on every machine, kept in the registry. A name has its
 * place by its hash, so that a mesh that is set up again mostly finds the same ones; where that is taken, the next. What a deleted
 * service had stays its for a while, and is nobody else's: apps remember what a name led to. Pure.
 */
import { registryKeys, type CommitRequest } from "../api/messages.ts";
import { hashText } from "../base/hash.ts";
import { limits } from "../model/limits.ts";

/** Under the key of the address, so that no two services can be given one. */
export interface StoredAddress {
  /** Key of the service. */
  readonly service: string;
  /** Since when no document declares it, milliseconds since 1970; null: one does. */
  readonly freedMs: number | null;
}

/** 127.100.0.1 to 127.100.255.254, without those that end like a network or a broadcast. */
const [network, thirds, fourths] = ["127.100", 256, 254];
/** @visibleForTesting */
export const addressCount = thirds * fourths;

/** @visibleForTesting */
export function addressAt(place: number): string {
  return `${network}.${Math.floor(place / fourths) % thirds}.${(place % fourths) + 1}`;
}

export interface AddressPlan {
  readonly services: Iterable<string>;
  readonly addresses: ReadonlyMap<string, StoredAddress>;
  readonly nowMs: number;
}

/** What has to change in the registry so that each of these services has an address, and no other is held for longer than need be. */
export function planAddresses({ services, addresses, nowMs }: AddressPlan): CommitRequest["operations"] {
  const operations: CommitRequest["operations"][number][] = [];
  const put = (address: string, value: StoredAddress): void => {
    taken.set(address, value);
    operations.push({ do: "put", key: registryKeys.addresses + address, value: JSON.stringify(value) });
  };
  const taken = new Map(addresses);
  const known = new Map([...addresses].map(([address, { service }]) => [service, address]));
  const wanted = new Set(services);
  for (const [address, { service, freedMs }] of addresses) {
    if (known.get(service) !== address) operations.push(release(address));
    else if (wanted.has(service) && freedMs !== null) put(address, { service, freedMs: null });
    else if (!wanted.has(service) && freedMs === null) put(address, { service, freedMs: nowMs });
    else if (freedMs !== null && nowMs - freedMs > limits.addressRestMs) operations.push(release(address));
  }
  operations.push(...tooMany(addresses, wanted).map(release));
  for (const service of [...wanted].sort()) {
    if (known.has(service)) continue;
    const address = freeAddress(service, taken);
    if (address !== null) put(address, { service, freedMs: null });
  }
  return operations.slice(0, limits.commitOperationsMax - 1);
}

/** Of those that rest, the ones that were freed first. */
function tooMany(addresses: AddressPlan["addresses"], wanted: ReadonlySet<string>): string[] {
  const resting = [...addresses].filter(
    ([, { service, freedMs }]) => freedMs !== null && !wanted.has(service),
  );
  const excess = resting.length - limits.addressesRestingMax;
  if (excess <= 0) return [];
  const byAge = resting.sort(([, one], [, other]) => (one.freedMs ?? 0) - (other.freedMs ?? 0));
  return byAge.slice(0, excess).map(([address]) => address);
}

function release(address: string): CommitRequest["operations"][number] {
  return { do: "delete", key: registryKeys.addresses + address };
}

/** null when all of them are taken, those that rest included. */
function freeAddress(service: string, taken: ReadonlyMap<string, StoredAddress>): string | null {
  const place = hashText(service) % addressCount;
  for (let step = 0; step < addressCount; step++) {
    const address = addressAt(place + step);
    if (!taken.has(address)) return address;
  }
  return null;
}
