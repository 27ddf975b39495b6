/** The query of a request target: parameters as their writer meant them, found without building a list. */

/** The value of the first parameter of that name, both read without their escapes; null when there is none. */
export function queryValue(target: string, name: string): string | null {
  let at = target.indexOf("?");
  while (at >= 0) {
    const start = at + 1;
    at = target.indexOf("&", start);
    const end = at < 0 ? target.length : at;
    const equals = target.indexOf("=", start);
    const nameEnd = equals < 0 || equals > end ? end : equals;
    if (read(target, start, nameEnd) === name) return nameEnd === end ? "" : read(target, nameEnd + 1, end);
  }
  return null;
}

/** `+` is a space; what is no valid escape stands for itself. */
function read(target: string, start: number, end: number): string {
  const text = target.slice(start, end);
  if (!text.includes("%") && !text.includes("+")) return text;
  const spaced = text.replaceAll("+", " ");
  return spaced.replace(/(?:%[0-9a-fA-F]{2})+/g, (escaped) => {
    try {
      return decodeURIComponent(escaped);
    } catch {
      return escaped;
    }
  });
}
