/**
 * Where in the author's files something in a bundle stands, as a table that travels at the end of the bundle itself: so a policy
 * that fails says `limits.ts:12:5` on every proxy. The realm of the policy reads it, and pays for that; what it makes of it is
 * text of a stranger, like everything else that comes from there.
 */
import { limits } from "../model/limits.ts";
import type { Place } from "./line_starts.ts";
import { numbersOf } from "./source_map.ts";

/** A place in a file of the author's. */
interface Written extends Place {
  readonly file: string;
}

/**
 * The statement that hands the table over. `map` is the source map of the bundle; `writtenAt` says what the author wrote there, or
 * null for what is not the author's. `shift` letters come before the first line.
 */
export function placesStatement(
  map: string,
  shift: number,
  writtenAt: (source: string, place: Place) => Written | null,
): string {
  const { sources, mappings } = JSON.parse(map) as { readonly sources: string[]; readonly mappings: string };
  const files: string[] = [];
  const numbers: number[] = [];
  let last = "";
  let [source, line, column] = [0, 0, 0];
  mappings.split(";").forEach((group, row) => {
    let at = 0;
    for (const text of group.split(",")) {
      if (text === "") continue;
      const [columns = 0, ...rest] = numbersOf(text);
      at += columns;
      const [sourcesOn = 0, linesOn = 0, columnsOn = 0] = rest;
      source += sourcesOn;
      line += linesOn;
      column += columnsOn;
      const from = rest.length === 0 ? undefined : sources[source];
      const place = from === undefined ? null : writtenAt(from, { line: line + 1, column: column + 1 });
      const said = place === null ? "" : `${place.file}:${place.line}:${place.column}`;
      if (said === last || numbers.length >= limits.policyPlacesMax * numbersPerPlace) continue;
      last = said;
      const known = place === null ? -1 : indexIn(files, place.file);
      numbers.push(row + 1, at + 1 + (row === 0 ? shift : 0), known, place?.line ?? 0, place?.column ?? 0);
    }
  });
  return `\nheddle.places(${JSON.stringify(files)},[${numbers.join(",")}]);\n`;
}

function indexIn(files: string[], file: string): number {
  const known = files.indexOf(file);
  return known >= 0 ? known : files.push(file) - 1;
}

/** Line and column in the bundle, both from 1; the file, -1 for none; line and column there. */
const numbersPerPlace = 5;
