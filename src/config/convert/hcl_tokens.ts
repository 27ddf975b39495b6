/**
 * Tokens of HCL as Consul reads it (version 1 of the language, github.com/hashicorp/hcl): names, texts, numbers, marks. Whatever the
 * text, reading costs time in proportion to its length.
 */

export interface HclToken {
  readonly kind: "name" | "text" | "number" | "mark" | "end";
  /** Of a text what it stands for, else as it was written. */
  readonly text: string;
  readonly offset: number;
}

/** What is no HCL, and where. */
export class HclFault extends Error {
  constructor(
    readonly offset: number,
    message: string,
  ) {
    super(message);
  }
}

const space = /[ \t\r\n\ufeff]+/y;
const lineComment = /(?:#|\/\/)[^\n]*/y;
const nameForm = /[\p{L}_][\p{L}\p{Nd}_.-]*/uy;
const numberForm =
  /[-+]?(?:0[xX][0-9a-fA-F]+|(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)(?![\p{L}\p{Nd}_.])/uy;
const heredocForm = /<<(-?)([\p{L}_][\p{L}\p{Nd}_]*)\r?\n/uy;
const marks = new Set(["{", "}", "[", "]", ",", "=", ":"]);

export class HclTokens {
  #at = 0;

  constructor(readonly text: string) {}

  /** The next one; after the last `end`, again and again. Throws HclFault. */
  next(): HclToken {
    this.#skip();
    const offset = this.#at;
    const char = this.text.charAt(offset);
    if (char === "") return { kind: "end", text: "", offset };
    if (char === '"') return { kind: "text", text: this.#quoted(), offset };
    if (char === "<") return { kind: "text", text: this.#heredoc(), offset };
    const number = this.#match(numberForm)?.[0];
    const name = number === undefined ? this.#match(nameForm)?.[0] : undefined;
    const mark = marks.has(char) ? char : undefined;
    const text = number ?? name ?? mark;
    if (text === undefined) throw new HclFault(offset, this.#wrongAt(offset));
    this.#at += text.length;
    return { kind: number !== undefined ? "number" : name !== undefined ? "name" : "mark", text, offset };
  }

  /** Space and comments. */
  #skip(): void {
    for (;;) {
      const skipped = this.#match(space) ?? this.#match(lineComment);
      if (skipped !== null) this.#at += skipped[0].length;
      else if (this.text.startsWith("/*", this.#at)) {
        const end = this.text.indexOf("*/", this.#at + 2);
        if (end < 0) throw new HclFault(this.#at, "this comment has no end: expected */");
        this.#at = end + 2;
      } else return;
    }
  }

  #match(form: RegExp): RegExpExecArray | null {
    form.lastIndex = this.#at;
    return form.exec(this.text);
  }

  #wrongAt(offset: number): string {
    const char = String.fromCodePoint(this.text.codePointAt(offset) ?? 0);
    return `${JSON.stringify(char)} begins nothing: expected a name, a text in double quotes, a number or one of { } [ ] , =`;
  }

  /** Between double quotes; `${…}` stays as it is, quotes inside of it too: Consul looks into none. */
  #quoted(): string {
    const start = this.#at;
    const parts: string[] = [];
    let at = start + 1;
    for (let depth = 0; ;) {
      const char = this.text.charAt(at);
      if (char === "" || (char === "\n" && depth === 0))
        throw new HclFault(start, 'this text has no end: expected " on the same line');
      if (depth === 0 && char === '"') break;
      if (depth === 0 && char === "\\") {
        const [made, length] = escapeAt(this.text, at);
        parts.push(made);
        at += length;
        continue;
      }
      if (char === "{" && (depth > 0 || this.text.charAt(at - 1) === "$")) depth++;
      else if (char === "}" && depth > 0) depth--;
      parts.push(char);
      at++;
    }
    this.#at = at + 1;
    return parts.join("");
  }

  /** `<<EOF` up to a line with EOF alone; of `<<-EOF` without the indentation that all lines share. */
  #heredoc(): string {
    const start = this.#at;
    const [opening, indented, mark = ""] = this.#match(heredocForm) ?? [];
    if (opening === undefined)
      throw new HclFault(
        start,
        "expected <<NAME and the text on the lines after it, up to one with NAME alone",
      );
    const lines: string[] = [];
    for (let at = start + opening.length; at < this.text.length;) {
      const end = this.text.indexOf("\n", at);
      const line = this.text.slice(at, end < 0 ? this.text.length : end);
      at = end < 0 ? this.text.length : end + 1;
      if (line.trim() === mark) {
        this.#at = end < 0 ? at : end;
        return linesOf(lines, indented === "-");
      }
      lines.push(line);
    }
    throw new HclFault(start, `this text has no end: expected a line with ${mark} alone`);
  }
}

function linesOf(lines: readonly string[], indented: boolean): string {
  const margins = lines
    .filter((line) => line.trim() !== "")
    .map((line) => line.length - line.trimStart().length);
  const margin = indented ? margins.reduce((least, each) => Math.min(least, each), Infinity) : 0;
  return lines.map((line) => `${line.slice(Math.min(margin, line.length))}\n`).join("");
}

const escapes: Readonly<Record<string, string>> = {
  ...{ n: "\n", t: "\t", r: "\r", a: "\x07", b: "\b", f: "\f", v: "\v", "\\": "\\", '"': '"' },
};

const codes = /\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|x([0-9a-fA-F]{2})|([0-7]{3}))/y;

/** What an escape stands for, and how long it is. */
function escapeAt(text: string, at: number): readonly [string, number] {
  const plain = escapes[text.charAt(at + 1)];
  if (plain !== undefined) return [plain, 2];
  codes.lastIndex = at;
  const found = codes.exec(text);
  const [whole = "", four, eight, two, octal] = found ?? [];
  const code = octal === undefined ? parseInt(four ?? eight ?? two ?? "", 16) : parseInt(octal, 8);
  if (found === null || code > 0x10ffff)
    throw new HclFault(
      at,
      `\\${text.charAt(at + 1)} is no escape: expected \\n, \\t, \\", \\\\ or \\u and four digits`,
    );
  return [String.fromCodePoint(code), whole.length];
}
