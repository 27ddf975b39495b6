/** The sources as the tidy tests see them: their text, their code without comments and strings, and what they import. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

export const root = join(import.meta.dir, "../..");

export interface SourceFile {
  /** From the root of the repository: `src/model/limits.ts`. */
  readonly path: string;
  readonly text: string;
  /** The text with comments and the insides of strings blanked; line numbers stay. */
  readonly code: string;
  readonly imports: readonly Import[];
  readonly exports: readonly Export[];
}

export interface Import {
  /** A path from the root for a file of ours, else the name as written: `node:crypto`, `valibot`. */
  readonly target: string;
  readonly own: boolean;
  readonly typeOnly: boolean;
  /** Loaded when it is needed, not with the file that says it. */
  readonly late: boolean;
  /** What is taken of it by name. null: a whole module, taken at run time or under one name. */
  readonly names: readonly string[] | null;
}

export interface Export {
  readonly name: string;
  readonly kind: "value" | "class" | "type";
  /** Its comment says `@visibleForTesting`: it is exported for the tests of this file alone. */
  readonly forTests: boolean;
}

function filesBelow(folder: string): string[] {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true })
    .map((name) => `${folder}/${String(name)}`)
    .filter((path) => path.endsWith(".ts"))
    .sort();
}

/** All TypeScript files below the folders. */
export function readSources(...folders: readonly string[]): SourceFile[] {
  return folders.flatMap(filesBelow).map((path) => {
    const text = readFileSync(join(root, path), "utf8");
    const code = blanked(text);
    return { path, text, code, imports: importsOf(path, text, code), exports: exportsOf(text, code) };
  });
}

const fromForm = /^(import|export)\s+(type\s)?([^;"']*?)\bfrom\s*(["'])/gm;
const bareForm = /^import\s*(["'])/gm;
const callForm = /\bimport\(\s*(["'])/g;

function importsOf(path: string, text: string, code: string): Import[] {
  const found: Import[] = [];
  const add = (
    quoteAt: number,
    typeOnly: boolean,
    names: readonly string[] | null = null,
    late = false,
  ): void => {
    const name = text.slice(quoteAt + 1, text.indexOf(text[quoteAt] ?? '"', quoteAt + 1));
    const own = name.startsWith(".");
    found.push({ target: own ? normalize(join(dirname(path), name)) : name, own, typeOnly, late, names });
  };
  for (const match of code.matchAll(fromForm)) {
    const clause = match[3] ?? "";
    add(match.index + match[0].length - 1, match[2] !== undefined || onlyTypes(clause), namesIn(clause));
  }
  for (const match of code.matchAll(bareForm)) add(match.index + match[0].length - 1, false);
  for (const match of code.matchAll(callForm)) {
    // `import("./x").Type` stands in a type, `await import("./x")` in code.
    const awaited = /(await|return|=>|\()\s*$/.test(code.slice(0, match.index));
    add(match.index + match[0].length - 1, !awaited, null, true);
  }
  return found;
}

/** `A` and `B` of `{ type A, B as C }`; null where a whole module gets a name. */
function namesIn(clause: string): string[] | null {
  const list = /\{([^}]*)\}/.exec(clause)?.[1];
  if (list === undefined) return null;
  const parts = list.split(",").map((part) => part.trim());
  return parts.filter((part) => part !== "").map((part) => part.replace(/^type\s+|\s+as\s+.*$/g, ""));
}

const exportForm =
  /^export\s+(?:abstract\s+)?(?:async\s+)?(function\*?|const|class|interface|type|enum)\s+(\w+)/gm;
const kinds: Readonly<Record<string, Export["kind"]>> = { class: "class", interface: "type", type: "type" };

function exportsOf(text: string, code: string): Export[] {
  return [...code.matchAll(exportForm)].map(({ index, 1: word = "", 2: name = "" }) => {
    const comment = /\/\*\*(?:(?!\*\/)[^])*\*\/\s*$/.exec(text.slice(0, index))?.[0] ?? "";
    return { name, kind: kinds[word] ?? "value", forTests: comment.includes("@visibleForTesting") };
  });
}

/** `{ type A, type B }` */
function onlyTypes(clause: string): boolean {
  const names = /^\{([^}]*)\}\s*$/.exec(clause.trim())?.[1];
  if (names === undefined) return false;
  const parts = names.split(",").filter((part) => part.trim() !== "");
  return parts.length > 0 && parts.every((part) => /^\s*type\s/.test(part));
}

const regexBefore = /(?:^|[=([{,;:!&|?+\-*%<>~^]|\breturn|\btypeof|\bcase|=>)\s*$/;

/** Blanks comments, and what stands between quotes; code inside `${}` of a template stays. */
export function blanked(text: string): string {
  const out: string[] = [];
  /** Depth of braces at which each open template goes on. */
  const templates: number[] = [];
  let depth = 0;
  let at = 0;
  const blank = (end: number): void => {
    for (; at < end && at < text.length; at++) out.push(text[at] === "\n" ? "\n" : " ");
  };
  const templateText = (): void => {
    while (at < text.length) {
      if (text[at] === "\\") blank(at + 2);
      else if (text[at] === "`") {
        out.push("`");
        at++;
        return;
      } else if (text.startsWith("${", at)) {
        out.push("${");
        at += 2;
        templates.push(depth++);
        return;
      } else blank(at + 1);
    }
  };
  while (at < text.length) {
    const char = text[at] ?? "";
    if (text.startsWith("//", at)) blank(lineEnd(text, at));
    else if (text.startsWith("/*", at)) blank(text.indexOf("*/", at + 2) + 2 || text.length);
    else if (char === '"' || char === "'") {
      out.push(char);
      at++;
      blank(closing(text, at, char));
      out.push(char);
      at++;
    } else if (char === "`") {
      out.push(char);
      at++;
      templateText();
    } else if (char === "/" && regexBefore.test(out.slice(-80).join(""))) {
      out.push("/");
      at++;
      blank(regexEnd(text, at));
      out.push("/");
      at++;
    } else {
      if (char === "{") depth++;
      if (char === "}") depth--;
      out.push(char);
      at++;
      if (char === "}" && templates.at(-1) === depth) {
        templates.pop();
        templateText();
      }
    }
  }
  return out.join("");
}

function lineEnd(text: string, from: number): number {
  const end = text.indexOf("\n", from);
  return end < 0 ? text.length : end;
}

function closing(text: string, from: number, quote: string): number {
  let at = from;
  while (at < text.length && text[at] !== quote && text[at] !== "\n") at += text[at] === "\\" ? 2 : 1;
  return at;
}

function regexEnd(text: string, from: number): number {
  let inClass = false;
  let at = from;
  for (; at < text.length && text[at] !== "\n"; at++) {
    const char = text[at];
    if (char === "\\") at++;
    else if (char === "[") inClass = true;
    else if (char === "]") inClass = false;
    else if (char === "/" && !inClass) return at;
  }
  return at;
}

/** `path:line` of each match in the code. */
export function places(file: SourceFile, pattern: RegExp): string[] {
  return [...file.code.matchAll(pattern)].map(
    (match) =>
      `${file.path}:${file.code.slice(0, match.index).split("\n").length + (match[0].startsWith("\n") ? 1 : 0)}`,
  );
}

/** What counts as reached: imports that vanish at run time too, all that may be loaded, or what is loaded before anything runs. */
export type Reach = "types too" | "loaded" | "loaded at once";

/** Everything reachable from the given files. */
export function closureOf(
  files: readonly SourceFile[],
  from: readonly string[],
  reach: Reach,
): { readonly own: ReadonlySet<string>; readonly packages: ReadonlySet<string> } {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const own = new Set<string>();
  const packages = new Set<string>();
  const visit = (path: string): void => {
    if (own.has(path)) return;
    own.add(path);
    for (const found of byPath.get(path)?.imports ?? []) {
      if (found.typeOnly && reach !== "types too") continue;
      if (found.late && reach === "loaded at once") continue;
      if (found.own) visit(found.target);
      else packages.add(found.target);
    }
  };
  for (const path of from) visit(path);
  return { own, packages };
}
