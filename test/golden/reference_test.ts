/** docs/REFERENCE.md is what `heddle explain --markdown` says of these sources; GOLDEN=update writes it. */
import { test } from "bun:test";
import { root } from "../../compile/repository.ts";
import { Cli } from "../../src/cli/command.ts";
import { allChapters } from "../../src/cli/explain/chapters.ts";
import { markdownOf } from "../../src/cli/explain/markdown.ts";
import { commands } from "../../src/cli/commands.ts";
import { programOf } from "../../src/cli/program.ts";
import { expectGolden } from "../support/golden.ts";
import { runtime } from "../support/runtime_under_test.ts";

const chapters = allChapters(programOf(new Cli(runtime), false, commands));

test("docs/REFERENCE.md says what the code says; GOLDEN=update writes it", () => {
  expectGolden(`${root}/docs/REFERENCE.md`, markdownOf(chapters, "heddle from source"));
});
