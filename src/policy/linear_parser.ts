/**
 * acorn without what takes more than proportional time or compiles what it reads: no second look for names that are declared
 * twice or exported undeclared (the runtime's parser has done that), and regular expressions are passed over, not made.
 */
import { Parser, tokTypes, type Program } from "acorn";

/** What stands in parentheses after `\u{` in a text; the standard has no limit, one digit in eight would do. */
const codePointLengthMax = 16;

/** What acorn keeps for itself and its extensions. */
interface ParserState {
  pos: number;
  readonly input: string;
  raise(offset: number, message: string): never;
  readWord1(): string;
  finishToken(type: unknown, value: unknown): void;
  readCodePoint(): number;
  invalidStringToken(offset: number, message: string): never;
}

const LinearParser = Parser.extend((Base) => {
  const plain = Base.prototype as unknown as ParserState;
  class Linear extends Base {
    declareName(): void {}

    checkLocalExport(): void {}

    readRegexp(this: ParserState): void {
      const start = this.pos;
      let inClass = false;
      for (;;) {
        const letter = this.input.charAt(this.pos);
        if (letter === "" || letter === "\n" || letter === "\r") this.raise(start, "Unterminated pattern");
        if (letter === "/" && !inClass) break;
        if (letter === "[") inClass = true;
        else if (letter === "]") inClass = false;
        this.pos += letter === "\\" ? 2 : 1;
      }
      const pattern = this.input.slice(start, this.pos++);
      this.finishToken(tokTypes.regexp, { pattern, flags: this.readWord1(), value: null });
    }

    readCodePoint(this: ParserState): number {
      const nearby = this.input.slice(this.pos, this.pos + codePointLengthMax);
      if (nearby.startsWith("{") && !nearby.includes("}")) this.invalidStringToken(this.pos, "Bad escape");
      return plain.readCodePoint.call(this);
    }
  }
  return Linear as unknown as typeof Parser;
});

export interface Parsed {
  readonly program: Program;
  /** The text with spaces where its comments stood. */
  readonly text: string;
}

/** Throws what tells in words why the text cannot be read. */
export function parseLinear(text: string, sourceType: "module" | "script"): Parsed {
  const kept: string[] = [];
  let end = 0;
  const onComment = (_block: boolean, _words: string, from: number, to: number): void => {
    kept.push(text.slice(end, from), text.slice(from, to).replace(/[^\n]/g, " "));
    end = to;
  };
  const program = LinearParser.parse(text, { ecmaVersion: "latest", sourceType, onComment });
  kept.push(text.slice(end));
  return { program, text: kept.join("") };
}
