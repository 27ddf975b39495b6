/** Statuses of HTTP as people name them: `503`, `5xx`, `400-499`. */

/** The least and the greatest; null: it names none. */
export function parseStatusRange(text: string): readonly [number, number] | null {
  const family = /^([1-5])xx$/i.exec(text)?.[1];
  if (family !== undefined) return [Number(family) * 100, Number(family) * 100 + 99];
  const [, least, most = least] = /^([1-5]\d\d)(?:-([1-5]\d\d))?$/.exec(text) ?? [];
  if (least === undefined || most === undefined || Number(most) < Number(least)) return null;
  return [Number(least), Number(most)];
}
