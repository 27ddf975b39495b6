/** Snapshots and patches as they go to machines: what many of them have in common is written once. */
import type { Snapshot } from "../model/snapshot.ts";
import type { SnapshotPatch } from "../model/snapshot_patch.ts";

export class SnapshotTexts {
  readonly #texts = new WeakMap<object, string>();

  snapshot(snapshot: Snapshot): string {
    return `{"kind":"snapshot","snapshot":${this.#object(snapshot)}}`;
  }

  patch(patch: SnapshotPatch): string {
    return this.#object({ kind: "patch", ...patch, rest: new Raw(this.#object(patch.rest)) });
  }

  #object(fields: object): string {
    const parts = Object.entries(fields).flatMap(([field, value]) =>
      value === undefined ? [] : [`${JSON.stringify(field)}:${this.#value(field, value)}`],
    );
    return `{${parts.join(",")}}`;
  }

  #value(field: string, value: unknown): string {
    if (value instanceof Raw) return value.text;
    if (field === "destinations")
      return `[${(value as readonly object[]).map((each) => this.#kept(each)).join(",")}]`;
    // A list of every service of the mesh; the other fields are the machine's own, or short.
    return field === "names" ? this.#kept(value as object) : JSON.stringify(value);
  }

  #kept(value: object): string {
    const text = this.#texts.get(value) ?? JSON.stringify(value);
    this.#texts.set(value, text);
    return text;
  }
}

/** Written already. */
class Raw {
  constructor(readonly text: string) {}
}
