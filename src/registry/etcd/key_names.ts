/**
 * Where a mesh keeps what in etcd, below its prefix: `d/…` everything of the store, `d.gate` while a large commit is under way,
 * `c/…` the pieces of that, `m/…` the marks by which a registry tells whether its own commit was taken.
 */

export interface KeyNames {
  /** What is watched: everything of the store, and the gate. */
  readonly watched: { readonly first: string; readonly end: string };
  readonly gate: string;
  of(key: string): string;
  /** The key of the store; null: it is none. */
  read(name: string): string | null;
  piece(commit: string, at: number): string;
  pieces(commit: string): { readonly first: string; readonly end: string };
  mark(writer: string, lane: number): string;
}

export function keyNames(prefix: string): KeyNames {
  const data = `${prefix}/d/`;
  return {
    // '.' comes right before '/', and '0' right after it.
    watched: { first: `${prefix}/d.`, end: `${prefix}/d0` },
    gate: `${prefix}/d.gate`,
    of: (key) => data + key,
    read: (name) => (name.startsWith(data) ? name.slice(data.length) : null),
    piece: (commit, at) => `${prefix}/c/${commit}/${String(at).padStart(6, "0")}`,
    pieces: (commit) => ({ first: `${prefix}/c/${commit}/`, end: `${prefix}/c/${commit}0` }),
    mark: (writer, lane) => `${prefix}/m/${writer}/${lane}`,
  };
}
