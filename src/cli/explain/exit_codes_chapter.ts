/** Exit codes, from the table that `program.ts` ends with. */
import { exitCodeMeanings, exitCodes } from "../exit_codes.ts";
import type { Chapter } from "./chapter.ts";

export const exitCodesChapter: Chapter = {
  name: "exit-codes",
  title: "How a command ended",
  intro: ["The same for every command. With --output json the reason is one line of JSON on stderr."],
  entries: Object.entries(exitCodes).map(([meaning, code]) => ({
    name: String(code),
    summary: exitCodeMeanings[meaning as keyof typeof exitCodes],
    facts: [],
    code: "",
  })),
};
