/** What is said to etcd's JSON gateway (`/v3/…`): bytes as base64, 64-bit numbers as text, what is zero or empty left out. */

export interface WireHeader {
  readonly cluster_id?: string;
  readonly revision?: string;
}

export interface WireEntry {
  readonly key: string;
  readonly value?: string;
  readonly create_revision?: string;
  readonly mod_revision?: string;
  readonly lease?: string;
}

export interface WireRange {
  readonly header?: WireHeader;
  readonly kvs?: readonly WireEntry[];
  readonly more?: boolean;
  readonly count?: string;
}

export interface WireCompare {
  readonly target: "MOD";
  readonly result: "EQUAL";
  readonly key: string;
  readonly mod_revision: string;
}

export type WireOperation =
  | { readonly request_put: { readonly key: string; readonly value: string; readonly lease?: string } }
  | { readonly request_delete_range: { readonly key: string; readonly range_end?: string } }
  | { readonly request_range: { readonly key: string } };

export interface WireTxn {
  readonly compare?: readonly WireCompare[];
  readonly success?: readonly WireOperation[];
  readonly failure?: readonly WireOperation[];
}

export interface WireTxnAnswer {
  readonly header: WireHeader;
  readonly succeeded?: boolean;
  readonly responses?: readonly {
    readonly response_range?: WireRange;
    readonly response_delete_range?: { readonly deleted?: string };
  }[];
}

export interface WireEvent {
  /** Absent: a put. */
  readonly type?: "PUT" | "DELETE";
  readonly kv: WireEntry;
}

export interface WireWatch {
  readonly header?: WireHeader;
  readonly created?: boolean;
  readonly canceled?: boolean;
  readonly cancel_reason?: string;
  /** Changes up to here are forgotten. */
  readonly compact_revision?: string;
  readonly events?: readonly WireEvent[];
}

export function encoded(text: string): string {
  return new TextEncoder().encode(text).toBase64();
}

export function decoded(base64: string | undefined): string {
  return base64 === undefined ? "" : new TextDecoder().decode(Uint8Array.fromBase64(base64));
}

/** Throws on what no revision can be. */
export function revisionOf(text: string | undefined): number {
  const revision = Number(text ?? 0);
  if (Number.isSafeInteger(revision) && revision >= 0) return revision;
  throw new RangeError(`Cannot read the revision "${text}" of etcd: expected a whole number`);
}

export interface WireLease {
  readonly result?: { readonly TTL?: string };
}

/** Seconds that are left; 0: there is no such lease. */
export function secondsLeft({ result }: WireLease): number {
  return Number(result?.TTL ?? 0);
}
