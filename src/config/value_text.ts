/** What stands at a path of a document, and how it is shown where something is wrong with it. */
import type { Path } from "./yaml_file.ts";

/** undefined: nothing does. */
export function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((inside, step) => {
    const isThere = typeof inside === "object" && inside !== null && Object.hasOwn(inside, step);
    return isThere ? (inside as Record<string | number, unknown>)[step] : undefined;
  }, value);
}

/** JSON of at most 80 letters. */
export function valueText(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
