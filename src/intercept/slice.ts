/**
 * The slice that an intercepted unit runs in (systemd.slice(5)), one for each: its control group outlives restarts of the unit, whose own does
 * not, so rules that match it stay true.
 */

/** `-` would be a level more, and what is below a slice is matched with it: each name has one level of its own. */
const escapes: Readonly<Record<string, string>> = { "-": "_", _: ":u", ":": ":c", "@": ":a", "\\": ":b" };

/** `mesh-web.slice` of `web.service`, `mesh-my_app:a1.slice` of `my-app@1.service`. */
export function sliceOf(unit: string): string {
  const name = unit.replace(/\.service$/, "");
  return `mesh-${name.replaceAll(/[-_:@\\]/g, (letter) => escapes[letter] ?? letter)}.slice`;
}

/** Below the root of the unified hierarchy: a dash in the name of a slice is a folder. */
export function sliceFolder(slice: string): string {
  const parts = slice.replace(/\.slice$/, "").split("-");
  return parts.map((_, at) => `${parts.slice(0, at + 1).join("-")}.slice`).join("/");
}
