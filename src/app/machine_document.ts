/** The Machine document of this machine, from its text. */
import { UserError } from "../base/user_error.ts";
import { issueText } from "../config/issue.ts";
import { loadMachine } from "../config/load.ts";
import type { MachineDocument } from "../model/document.ts";

/** The document, or all that is wrong with it. */
export function readMachine(source: { readonly file: string; readonly text: string }): MachineDocument {
  const { machine, issues } = loadMachine(source.file, source.text);
  if (machine === null || issues.some((issue) => issue.severity === "error")) {
    throw new UserError(
      `Cannot use the Machine document:\n${issues.map((issue) => `  ${issueText(issue)}`).join("\n")}`,
    );
  }
  return machine;
}
