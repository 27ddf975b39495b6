/**
 * Sources of any length whose reading has cost more than proportional time somewhere: in a pattern, a parser, a printer, a
 * map. Some are in order and some are not: the bundling of each must come to an end, fast.
 */

/** So many characters of this text over and over. */
function fill(text: string, length: number): string {
  return text.repeat(Math.max(0, Math.floor(length / text.length)));
}

/** A list of words with numbers. */
function list(length: number, word: (at: number) => string, between: string): string {
  const each = word(100_000).length + between.length;
  return Array.from({ length: Math.floor(length / each) }, (_, at) => word(100_000 + at)).join(between);
}

export const hostileShapes: Readonly<Record<string, (length: number) => string>> = {
  "comments behind a line that ends in with": (length) =>
    `// https://a.example/with\n${fill("//x\n/**/", length)}`,
  "comments behind the word with": (length) =>
    `export const a = { with\n${fill("/* // */ // \n", length)}: 1 };`,
  "links in a comment": (length) =>
    `/**\n${fill(" * see https://a.example/b with // https://b.example\n", length)} */`,
  "open exports": (length) => fill("export {", length),
  "open attributes": (length) => fill("with{", length),
  "attributes in one line": (length) => fill("import 'a' with {", length),
  "imports of the kit": (length) => list(length, (at) => `import * as a${at} from "valibot"`, ";"),
  "imports of itself": (length) => fill('export * from "./p.ts";', length),
  "unknown names in one line": (length) => list(length, (at) => `u${at}`, ";"),
  "unknown names in a chain": (length) => list(length, (at) => `u${at}`, ","),
  "declared names in one scope": (length) => `let ${list(length, (at) => `a${at}`, ",")};`,
  "functions in one scope": (length) => list(length, (at) => `function f${at}(){}`, ""),
  "exported names": (length) => list(length, (at) => `export let e${at}=1`, ";"),
  "private names": (length) => `export class A{${list(length, (at) => `#p${at}`, ";")}}`,
  parameters: (length) => `export const a=(${list(length, (at) => `p${at}`, ",")})=>1;`,
  "names in a deep scope": (length) =>
    `${"{let a;".repeat(500)}${fill("a;", length - 4_500)}${"}".repeat(500)}`,
  "names in deep static blocks": (length) =>
    `${"class A{static{".repeat(300)}${fill("A;", length - 6_000)}${"}}".repeat(300)}`,
  "variables in deep blocks": (length) =>
    `${"{".repeat(500)}${fill("var a;", length - 1_500)}${"}".repeat(500)}`,
  "open parentheses": (length) => fill("(", length),
  "open brackets": (length) => fill("[", length),
  "open braces": (length) => fill("{", length),
  "open templates": (length) => fill("`${", length),
  "open arrows": (length) => fill("a?(b)=>", length),
  "open conditional types": (length) => `type A = ${fill("A extends B ? ", length)}1`,
  slashes: (length) => fill("/", length),
  "open comments": (length) => fill("/*", length),
  "open patterns": (length) => fill("/[", length),
  patterns: (length) => fill("/(?<a>a)/;", length),
  "groups of one pattern": (length) => `/${list(length, (at) => `(?<g${at}>)`, "")}/;`,
  backslashes: (length) => fill("\\u{", length),
  "bad escapes in templates": (length) => fill("String.raw`\\u{`;", length),
  additions: (length) => `export const a=1${fill("+1", length)};`,
  members: (length) => `export const a=JSON${fill(".b", length)};`,
  statements: (length) => fill("0;", length),
  "empty blocks": (length) => fill("{}", length),
  "empty lines": (length) => fill("\n", length),
  "control characters": (length) => `// ${fill("\u0001", length)}`,
  keys: (length) => `export const a={${list(length, (at) => `k${at}:1`, ",")}};`,
  "members of an enumeration": (length) => `export enum A{${list(length, (at) => `m${at}`, ",")}}`,
  decorators: (length) => `class A{${fill("@a b;", length)}}`,
};

/** The parser of the runtime takes quadratic time for these, and there is nothing to do but to end it. */
export const endlessShapes: Readonly<Record<string, (length: number) => string>> = {
  "open types": (length) => fill("a<b<", length),
};
