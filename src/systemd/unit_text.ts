/** The text of unit files, as systemd.syntax(7) has it. */

/** A value, or several lines of one name; null and [] leave the line out. */
export type UnitValue = string | readonly string[] | null;

/** Settings by their names. */
export type UnitSection = Readonly<Record<string, UnitValue>>;

/** First line of every file that heddle writes; what lacks it belongs to somebody else. */
export const writtenByHeddle = "# Written by heddle; `heddle uninstall` removes it.";

/** `sections` by their names, in their order. */
export function unitText(sections: Readonly<Record<string, UnitSection>>): string {
  const parts = Object.entries(sections).map(([name, lines]) => {
    const said = Object.entries(lines).flatMap(([key, value]) => linesOf(key, value));
    return [`[${name}]`, ...said].join("\n");
  });
  return `${writtenByHeddle}\n${parts.join("\n\n")}\n`;
}

function linesOf(key: string, value: UnitValue): string[] {
  if (value === null) return [];
  return (typeof value === "string" ? [value] : value).map((each) => `${key}=${each}`);
}

/** One word of a list: specifiers are plain letters in it, and blanks belong to it. */
export function unitWord(word: string): string {
  const plain = word.replaceAll("%", "%%");
  if (!/[\s"'\\;]/.test(plain)) return plain;
  return `"${plain.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}

/** How long what is open may go on at its end, as its command says; null: it does not. */
export function drainOfUnit(text: string): string | null {
  return /^ExecStart=.* --drain (\S+)$/m.exec(text)?.[1] ?? null;
}

/** The state folder that a unit of heddle names; null: it names none. */
export function stateOfUnit(text: string): string | null {
  const value = /^Environment=(?:"HEDDLE_STATE=(.*)"|HEDDLE_STATE=(.*))$/m.exec(text);
  const word = value?.[1]?.replaceAll(/\\(.)/g, "$1") ?? value?.[2];
  return word?.replaceAll("%%", "%") ?? null;
}
