/** What `heddle check` looks at, by its codes. */
import { checked } from "../../app/finding.ts";
import type { Chapter } from "./chapter.ts";

export const checksChapter: Chapter = {
  name: "checks",
  title: "Facts that heddle check looks at",
  intro: ["Each line of heddle check has one of these codes; below a line that failed stands what to do."],
  entries: Object.entries(checked).map(([name, summary]) => ({ name, summary, facts: [], code: "" })),
};
