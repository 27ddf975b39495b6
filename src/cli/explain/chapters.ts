/** All chapters, in the order of reading. */
import type { Command } from "commander";
import type { Chapter } from "./chapter.ts";
import { checksChapter } from "./checks_chapter.ts";
import { commandsChapter } from "./commands_chapter.ts";
import { documentsChapter } from "./documents_chapter.ts";
import { exitCodesChapter } from "./exit_codes_chapter.ts";
import { flagsChapter } from "./flags_chapter.ts";
import { issuesChapter } from "./issues_chapter.ts";
import { limitsChapter } from "./limits_chapter.ts";
import { logChapter } from "./log_chapter.ts";
import { metricsChapter } from "./metrics_chapter.ts";
import { policyChapter } from "./policy_chapter.ts";
import { shippedChapter } from "./shipped_chapter.ts";

export function allChapters(program: Command): readonly Chapter[] {
  return [
    documentsChapter(),
    commandsChapter(program),
    exitCodesChapter,
    checksChapter,
    issuesChapter,
    flagsChapter,
    logChapter,
    metricsChapter,
    limitsChapter(),
    policyChapter(),
    shippedChapter(),
  ];
}
