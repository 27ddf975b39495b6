/**
 * One file that an author wrote, checked before it is bundled. First the runtime's parser tells what the text would load,
 * names decoded. Then the text becomes plain JavaScript without types, attributes and comments, macros off: that script is
 * what acorn reads, what every further check is about, and what is bundled. So nothing depends on how the author's text could be
 * read otherwise, and nothing of the author's excuses a finding: the source map only tells at which place to show it.
 */
import type { Program } from "acorn";
import type { BundleProblem, Bundler } from "../../runtime/contract.ts";
import { limits } from "../model/limits.ts";
import { importIssues, refusalOf } from "./allowed_imports.ts";
import { LineStarts, type Place } from "./line_starts.ts";
import { parseLinear, type Parsed } from "./linear_parser.ts";
import { readModuleWords, type ModuleWords } from "./module_words.ts";
import { policyIssue, type PolicyIssue, type PolicySource } from "./policy_source.ts";
import { checkScopes, type Finding } from "./scope_check.ts";
import { SourceMap } from "./source_map.ts";
import { isTree, literalText, treeOf, treesIn } from "./syntax_tree.ts";

export interface AuthorModule {
  readonly file: string;
  /** Plain JavaScript. */
  readonly text: string;
  readonly program: Program;
  /** An issue where something stands in the program. */
  issueAt(finding: Finding): PolicyIssue;
  /** Where the author wrote what stands there in the text; null for nothing of the author's. */
  writtenAt(place: Place): Place | null;
}

export type ModuleAnswer =
  | { readonly module: AuthorModule; readonly issues: readonly [] }
  | { readonly module: null; readonly issues: readonly PolicyIssue[] };

/** `files` are the names of the push. */
export async function checkModule(
  source: PolicySource,
  files: ReadonlySet<string>,
  bundler: Pick<Bundler, "importsOf" | "plain">,
): Promise<ModuleAnswer> {
  const { file, text } = source;
  const scanned = bundler.importsOf(text);
  if (scanned.imports === null) return refused(scanned.problems.map((each) => issueOf(file, each)));
  const words = readModuleWords(text);
  const imports = importIssues(source, scanned.imports, words, files);
  if (imports.length > 0) return refused(imports);
  // An export makes it a module, whatever else stands in it: there is no `module.exports`.
  const plain = await bundler.plain(`/${file}`, `${text}\nexport {};\n`);
  if (plain.text === null) return refused(plain.problems.map((each) => issueOf(file, each)));
  if (plain.text.length > limits.policyBundleBytesMax) {
    const message = `As JavaScript it has ${plain.text.length} characters, more than ${limits.policyBundleBytesMax}`;
    return refused([policyIssue(file, 1, 1, message)]);
  }
  let parsed: Parsed;
  let findings: Finding[];
  try {
    parsed = parseLinear(plain.text, "module");
    findings = [
      ...importFindings(parsed.program, file, files),
      ...checkScopes(parsed.program, limits.policyIssuesMax),
    ];
  } catch (error) {
    return refused([policyIssue(file, 1, 1, `Cannot read the script: ${reasonOf(error)}`)]);
  }
  const written = new Written(plain.text, plain.map);
  const issueAt = issuesIn(source, words, written);
  if (findings.length > 0) return refused(findings.map(issueAt));
  const writtenAt = (place: Place): Place | null => written.at(place);
  return { module: { file, text: parsed.text, program: parsed.program, issueAt, writtenAt }, issues: [] };
}

function refused(issues: readonly PolicyIssue[]): ModuleAnswer {
  return { module: null, issues };
}

function issueOf(file: string, { line, column, message }: BundleProblem): PolicyIssue {
  return policyIssue(file, line, column, message);
}

function reasonOf(error: unknown): string {
  return error instanceof RangeError ? "it is nested too deeply" : String(error);
}

/** What is imported by what will be bundled: asked again of the script itself. */
function importFindings(program: Program, file: string, files: ReadonlySet<string>): Finding[] {
  return treesIn(treeOf(program)["body"]).flatMap((statement): Finding[] => {
    const { source } = statement;
    if (!isTree(source)) return [];
    const found = (message: string): Finding[] => [{ offset: statement.start, message, word: "import" }];
    if (treesIn(statement["attributes"]).length > 0) return found("Imports have no attributes");
    const refusal = refusalOf(file, literalText(source) ?? "", "import-statement", files);
    return refusal === null ? [] : found(refusal);
  });
}

/** From the plain script back to the text, by a map that is read when somebody asks. */
class Written {
  #map: SourceMap | null = null;
  #starts: LineStarts | null = null;

  constructor(
    readonly plain: string,
    readonly map: string,
  ) {}

  placeOf(offset: number): Place | null {
    return (this.#map ??= new SourceMap(this.map, this.plain)).placeOf(offset);
  }

  at(place: Place): Place | null {
    return this.placeOf((this.#starts ??= new LineStarts(this.plain)).offsetOf(place));
  }
}

/**
 * Places by the map, which knows the beginnings of expressions: on that line the word itself. For what the runtime put in
 * instead of a word of the author's, where that word stands first.
 */
function issuesIn(
  { file, text }: PolicySource,
  words: ModuleWords,
  written: Written,
): (finding: Finding) => PolicyIssue {
  const starts = new LineStarts(text);
  return ({ offset, message, word }) => {
    const mapped = written.placeOf(offset);
    const near = mapped === null ? (words.first.get(word) ?? 0) : starts.offsetOf(mapped);
    const end = text.indexOf("\n", near);
    const at = text.slice(near, end < 0 ? text.length : end).indexOf(word);
    const { line, column } = starts.placeOf(near + Math.max(0, at));
    return policyIssue(file, line, column, message);
  };
}
