/**
 * Reads the words of a TypeScript module as they stand, in one pass; comments, texts, templates and regular expressions
 * are told apart. Finds the names after `import` and `from`, and where each word stands first. What a module loads is the
 * word of the runtime's own parser (`Bundler.importsOf`); this tells places, and what that parser drops: escapes, attributes.
 */
export interface ModuleName {
  /** As written between the quotes. */
  readonly text: string;
  readonly offset: number;
  /** `with {` or `assert {` follows. */
  attributes: boolean;
}

export interface ModuleWords {
  readonly names: readonly ModuleName[];
  /** Where each word outside of comments and texts stands first; `import()` is one. */
  readonly first: ReadonlyMap<string, number>;
}

interface Token {
  readonly kind: "word" | "text" | "mark" | "end";
  readonly text: string;
  readonly start: number;
}

export function readModuleWords(text: string): ModuleWords {
  const reader = new WordReader(text);
  const names: ModuleName[] = [];
  const first = new Map<string, number>();
  let [older, old] = [nothing, nothing];
  for (let token = reader.next(); token.kind !== "end"; token = reader.next()) {
    if (token.kind === "word" && !first.has(token.text)) first.set(token.text, token.start);
    if (token.text === "(" && isWord(old, "import") && !first.has("import()"))
      first.set("import()", old.start);
    if (token.kind === "text" && (isWord(old, "from") || isWord(old, "import")))
      names.push({ text: token.text.slice(1, -1), offset: token.start, attributes: false });
    const name = names.at(-1);
    if (token.text === "{" && (isWord(old, "with") || isWord(old, "assert")) && name?.offset === older.start)
      name.attributes = true;
    [older, old] = [old, token];
  }
  return { names, first };
}

const nothing: Token = { kind: "mark", text: ";", start: -1 };

/** After these words a slash begins a regular expression. */
const beforeExpression: ReadonlySet<string> = new Set(
  "return typeof case in of delete void instanceof new do else throw yield await default extends".split(" "),
);

function isWord(token: Token, text: string): boolean {
  return token.kind === "word" && token.text === text;
}

function isSpace(letter: string): boolean {
  return letter.trim() === "";
}

function endsLine(letter: string): boolean {
  return letter === "\n" || letter === "\r" || letter === "\u2028" || letter === "\u2029";
}

/** Letters of names and numbers, escapes among them: everything that is no mark and no space. */
function isWordLetter(letter: string): boolean {
  return /[\w$\\]/.test(letter) || (letter > "\u007f" && !isSpace(letter));
}

class WordReader {
  #at = 0;
  #before: Token = nothing;
  /** Open braces; true where the brace leads back into a template. */
  readonly #braces: boolean[] = [];

  constructor(private readonly text: string) {}

  next(): Token {
    this.#skip();
    return (this.#before = this.#read());
  }

  /** Spaces and comments. */
  #skip(): void {
    for (; this.#at < this.text.length; this.#at++) {
      const pair = this.text.slice(this.#at, this.#at + 2);
      if (pair === "//") while (this.#at < this.text.length && !endsLine(this.#letter())) this.#at++;
      else if (pair === "/*") {
        const end = this.text.indexOf("*/", this.#at + 2);
        this.#at = end < 0 ? this.text.length : end + 1;
      } else if (!isSpace(this.#letter())) return;
    }
  }

  #read(): Token {
    const start = this.#at;
    if (start >= this.text.length) return { kind: "end", text: "", start };
    const letter = this.#letter();
    if (isWordLetter(letter)) {
      while (isWordLetter(this.#letter())) this.#at++;
      return this.#token("word", start);
    }
    if (letter === '"' || letter === "'") return this.#text(letter);
    if (letter === "`" || (letter === "}" && this.#braces.pop() === true)) return this.#template();
    if (letter === "/" && this.#startsExpression()) return this.#pattern();
    if (letter === "{") this.#braces.push(false);
    this.#at++;
    return this.#token("mark", start);
  }

  #text(quote: string): Token {
    const start = this.#at++;
    while (this.#at < this.text.length && this.#letter() !== quote && !/[\n\r]/.test(this.#letter()))
      this.#at += this.#letter() === "\\" ? 2 : 1;
    this.#at++;
    return this.#token("text", start);
  }

  /** A part of a template, up to its end or to an expression in it. */
  #template(): Token {
    const start = this.#at++;
    for (; this.#at < this.text.length && this.#letter() !== "`"; this.#at++) {
      if (this.#letter() === "\\") this.#at++;
      else if (this.text.startsWith("${", this.#at)) {
        this.#braces.push(true);
        this.#at += 2;
        return { kind: "mark", text: "(", start };
      }
    }
    this.#at++;
    return { kind: "mark", text: "`", start };
  }

  #pattern(): Token {
    const start = this.#at++;
    let inClass = false;
    for (; this.#at < this.text.length && !endsLine(this.#letter()); this.#at++) {
      const letter = this.#letter();
      if (letter === "\\") this.#at++;
      else if (letter === "[") inClass = true;
      else if (letter === "]") inClass = false;
      else if (letter === "/" && !inClass) break;
    }
    this.#at++;
    return { kind: "mark", text: ")", start };
  }

  /** Whether an expression may start here, so that a slash begins a pattern and does not divide. */
  #startsExpression(): boolean {
    const { kind, text } = this.#before;
    if (kind === "word") return beforeExpression.has(text);
    return kind === "mark" && text !== ")" && text !== "]" && text !== "}" && text !== "`";
  }

  #letter(): string {
    return this.text.charAt(this.#at);
  }

  #token(kind: Token["kind"], start: number): Token {
    return { kind, text: this.text.slice(start, this.#at), start };
  }
}
