/** What `heddle lint` finds in documents, by its codes. */
import { issueCodes } from "../../config/issue_codes.ts";
import type { Chapter } from "./chapter.ts";

export const issuesChapter: Chapter = {
  name: "lint",
  title: "What heddle lint finds in documents",
  intro: [
    "Each problem of a document has one of these codes, in heddle lint as in validate and apply. Errors keep all documents from taking effect; warnings do not.",
  ],
  entries: Object.entries(issueCodes).map(([name, { severity, words, cure }]) => ({
    name,
    summary: words,
    facts: [
      ["severity", severity],
      ["cure", cure],
    ],
    code: "",
  })),
};
