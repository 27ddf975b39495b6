/**
 * What a policy may import, types too: the kit's names, and files of the same push by a relative path with their whole name.
 * Everything else is refused, and so is what cannot be told for certain.
 */
import type { ModuleImport } from "../../runtime/contract.ts";
import { limits } from "../model/limits.ts";
import { kit } from "./kit.ts";
import { LineStarts, type Place } from "./line_starts.ts";
import type { ModuleWords } from "./module_words.ts";
import { policyIssue, type PolicyIssue, type PolicySource } from "./policy_source.ts";

/** `imports` is what the runtime's parser says, `words` is where it stands. */
export function importIssues(
  source: PolicySource,
  imports: readonly ModuleImport[],
  words: ModuleWords,
  files: ReadonlySet<string>,
): PolicyIssue[] {
  const { file, text } = source;
  const starts = new LineStarts(text);
  const issueAt = (offset: number, message: string): PolicyIssue => {
    const { line, column }: Place = starts.placeOf(offset);
    return policyIssue(file, line, column, message);
  };
  const issues = words.names.flatMap(({ text: name, offset, attributes }): PolicyIssue[] => {
    const problem = attributes
      ? `Cannot import "${name}" with attributes: imports have no attributes`
      : name.includes("\\")
        ? "The name of a module must be written without escapes"
        : refusalOf(file, name, statement, files);
    return problem === null ? [] : [issueAt(offset, problem)];
  });
  if (imports.length > limits.policyImportsMax)
    issues.push(issueAt(0, `There are ${imports.length} imports, more than ${limits.policyImportsMax}`));
  const found = new Set(words.names.map((each) => each.text));
  for (const { name, kind } of imports) {
    if (kind === statement && found.has(name)) continue;
    const refusal = refusalOf(file, name, kind, files) ?? `Cannot tell where "${name}" is imported`;
    issues.push(issueAt(words.first.get(wordOf[kind] ?? "require") ?? 0, refusal));
  }
  return issues;
}

const statement = "import-statement";

/** Where to look for each kind of import. */
const wordOf: Readonly<Record<string, string>> = { [statement]: "import", "dynamic-import": "import()" };

/** Why this import is refused; null when it is on the list. */
export function refusalOf(
  file: string,
  name: string,
  kind: string,
  files: ReadonlySet<string>,
): string | null {
  if (kind !== statement) return `Cannot load "${name}" by ${kind}: only import statements are allowed`;
  if (Object.hasOwn(kit.names, name)) return null;
  if (!name.startsWith("./") && !name.startsWith("../")) {
    return `Cannot import "${name}": only ${Object.keys(kit.names).join(", ")} and own files are allowed`;
  }
  const target = resolved(file, name);
  return target !== null && files.has(target)
    ? null
    : `Cannot import "${name}": there is no such file in policies/`;
}

/** The file that a relative name means; null when it leads out of the push. */
function resolved(file: string, name: string): string | null {
  const steps = file.split("/").slice(0, -1);
  for (const step of name.split("/")) {
    if (step === ".") continue;
    if (step !== "..") steps.push(step);
    else if (steps.pop() === undefined) return null;
  }
  return steps.join("/");
}
