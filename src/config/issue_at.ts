/** An issue at a path of a document: `file:line:col: path: what is wrong`. */
import type { Issue } from "./issue.ts";
import type { Path, YamlDocument } from "./yaml_file.ts";

export interface IssueOptions {
  readonly severity?: Issue["severity"];
  /** The place of the key itself rather than its value. */
  readonly key?: boolean;
}

/** Says what is wrong with one document. */
export type Report = (path: Path, message: string, options?: IssueOptions) => void;

export function issueAt(
  document: YamlDocument,
  path: Path,
  message: string,
  options: IssueOptions = {},
): Issue {
  const shown = pathText(document.written?.(path) ?? path);
  return {
    file: document.file,
    ...document.place(path, options.key === true),
    severity: options.severity ?? "error",
    message: shown === "" ? message : `${shown}: ${message}`,
  };
}

export function reportInto(document: YamlDocument, issues: Issue[]): Report {
  return (...issue) => void issues.push(issueAt(document, ...issue));
}

function pathText(path: Path): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === "number") return `${text}[${step}]`;
    const plain = /^[\w-]+$/.test(step) ? step : JSON.stringify(step);
    return text === "" ? plain : `${text}.${plain}`;
  }, "");
}
