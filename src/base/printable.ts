/**
 * Text of others on its way to a terminal or a log. What would steer a terminal, begin a line, hide text or turn its
 * direction is shown by its number instead: `\x1b`, `\u{202e}`. Whatever heddle writes to stdout or stderr goes through
 * here, and printing it twice changes nothing.
 */

/** Controls, marks of direction, surrogates, private and unknown characters, separators of lines, and what nobody sees. */
const unprintable = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;
const plain = /^[\x20-\x7e]*$/;
const plainLines = /^[\x20-\x7e\n]*$/;

const shortForms: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** As one line. */
export function printable(text: string): string {
  return plain.test(text) ? text : text.replace(unprintable, shown);
}

/** As the lines that it is made of. Only for text whose lines are meant to be lines: documents, stacks, help. */
export function printableLines(text: string): string {
  if (plainLines.test(text)) return text;
  const lines = text.split(/\r?\n/);
  return lines.map((line) => line.split("\t").map(printable).join("\t")).join("\n");
}

/** JSON that means the same. What JSON leaves as it is inside of strings is escaped too; lines stay. */
export function printableJson(json: string): string {
  return plainLines.test(json)
    ? json
    : json.replace(unprintable, (found) => (found === "\n" ? found : escaped(found)));
}

function shown(found: string): string {
  const code = found.codePointAt(0) as number;
  const hex = code.toString(16);
  return shortForms[found] ?? (code < 0x100 ? `\\x${hex.padStart(2, "0")}` : `\\u{${hex}}`);
}

function escaped(found: string): string {
  let text = "";
  for (let at = 0; at < found.length; at++)
    text += `\\u${found.charCodeAt(at).toString(16).padStart(4, "0")}`;
  return text;
}
