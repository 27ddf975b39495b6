/** An issue at a path of a document: `file:line:col: path: what is wrong`. */
import type { Issue } from "./issue.ts";
import { issueCodes, type IssueCode } from "./issue_codes.ts";
import { valueAt, valueText } from "./value_text.ts";
import type { Path, YamlDocument } from "./yaml_file.ts";

export interface IssueOptions {
  /** Says its severity, too. Absent: the document does not fit (HED0100), an error. */
  readonly code?: IssueCode;
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
  const { key = false, code = "HED0100" } = options;
  const shown = pathText(document.written?.(path) ?? path);
  const value = path.length === 0 ? undefined : valueAt(document.value, path);
  return {
    file: document.file,
    ...document.place(path, key),
    severity: issueCodes[code].severity,
    message: shown === "" ? message : `${shown}: ${message}`,
    code,
    field: shown,
    ...(value === undefined ? {} : { value: valueText(value) }),
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
