/** Fields of documents of the Gateway API, as far as anything is known of them. */
import type { Path } from "../yaml_file.ts";
import type { FlatDocument } from "./flat_document.ts";

export type Fields = Readonly<Record<string, unknown>>;

/** None where there is no mapping: what is missing is told by who needs it. */
export function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function refuseOthers(flat: FlatDocument, fields: Fields, path: Path, known: readonly string[]): void {
  for (const field of Object.keys(fields))
    if (!known.includes(field))
      flat.wrong([...path, field], `this field is not known here; known are ${known.join(", ")}`);
}
