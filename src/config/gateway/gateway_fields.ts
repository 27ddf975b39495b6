/** Fields of documents of the Gateway API, as far as anything is known of them. */
import type { Path } from "../yaml_file.ts";
import type { FlatDocument } from "./flat_document.ts";

export type Fields = Readonly<Record<string, unknown>>;

/** None where nothing is written. What is no mapping is told: passed over, it would say less than was meant, and a match fit everything. */
export function fieldsOf(flat: FlatDocument, value: unknown, path: Path): Fields {
  if (value === undefined) return {};
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
  flat.wrong(path, "expected a mapping, as the Gateway API has it");
  return {};
}

/** The same of lists. */
export function listOf(flat: FlatDocument, value: unknown, path: Path): readonly unknown[] {
  if (value === undefined) return [];
  if (Array.isArray(value)) return value;
  flat.wrong(path, "expected a list, as the Gateway API has it");
  return [];
}

export function refuseOthers(flat: FlatDocument, fields: Fields, path: Path, known: readonly string[]): void {
  for (const field of Object.keys(fields))
    if (!known.includes(field))
      flat.wrong([...path, field], `this field is not known here; known are ${known.join(", ")}`);
}
