/** Sources of policies as they are pushed, what is found in them, and what is refused before anybody reads them. */
import { limits } from "../model/limits.ts";

export interface PolicySource {
  /** Relative: `policies/header_route.ts`. */
  readonly file: string;
  readonly text: string;
}

export interface PolicyIssue {
  readonly file: string;
  /** Count from 1. */
  readonly line: number;
  readonly column: number;
  readonly severity: "error";
  readonly message: string;
}

export function policyIssue(file: string, line: number, column: number, message: string): PolicyIssue {
  return { file, line: Math.max(1, line), column: Math.max(1, column), severity: "error", message };
}

/** Issues of a whole push: how much there is, and whether each file has a name of its own below the folder. */
export function pushIssues(sources: readonly PolicySource[]): PolicyIssue[] {
  const [first] = sources;
  if (first === undefined) return [];
  if (sources.length > limits.policySourcesMax) {
    const message = `There are ${sources.length} files, more than ${limits.policySourcesMax}`;
    return [policyIssue(first.file, 1, 1, message)];
  }
  const length = sources.reduce((sum, each) => sum + each.text.length, 0);
  if (length > limits.policyBundleBytesMax) {
    const message = `The sources have ${length} characters, more than ${limits.policyBundleBytesMax}`;
    return [policyIssue(first.file, 1, 1, message)];
  }
  const seen = new Set<string>();
  return sources.flatMap(({ file }): PolicyIssue[] => {
    if (seen.has(file)) return [policyIssue(file, 1, 1, "There are two files of this name")];
    seen.add(file);
    return isPlainName(file) ? [] : [policyIssue(file, 1, 1, nameExpected)];
  });
}

const nameExpected =
  "A source of a policy needs a plain relative name such as policies/header_route.ts: letters, digits, dots, dashes, slashes";

function isPlainName(file: string): boolean {
  if (file.length > limits.policyFileNameLengthMax || !file.endsWith(".ts")) return false;
  return file.split("/").every((step) => /^[\w-][\w.-]*$/.test(step));
}
