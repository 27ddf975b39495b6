/**
 * What commands print, before it is printed. A string is somebody's words and is shown as `printable` shows it; only paint
 * puts codes around it, so nobody's words colour a terminal or steer it.
 */
import { printable } from "../base/printable.ts";

export type Text = string | Painted | readonly Text[];

export class Painted {
  constructor(
    readonly content: Text,
    readonly paint: (text: string) => string,
  ) {}

  toString(): string {
    return plainText(this);
  }
}

/** Words with painted ones between: text`${red("error:")} ${message}`. */
export function text(words: TemplateStringsArray, ...values: readonly (Text | number)[]): Text {
  return words.flatMap((word, at) => {
    const value = values[at] ?? "";
    return [word, typeof value === "number" ? String(value) : value];
  });
}

/** As a terminal gets it. */
export function rendered(content: Text): string {
  if (typeof content === "string") return printable(content);
  if (content instanceof Painted) return content.paint(rendered(content.content));
  return content.map(rendered).join("");
}

/** Without its colours. */
export function plainText(content: Text): string {
  if (typeof content === "string") return printable(content);
  if (content instanceof Painted) return plainText(content.content);
  return content.map(plainText).join("");
}
