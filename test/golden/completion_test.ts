/** Completion scripts and manual pages of a small program, as they were once judged right. GOLDEN=update writes what comes out now. */
import { expect, test } from "bun:test";
import { Command } from "commander";
import { join } from "node:path";
import { manualPages } from "../../src/cli/completion/manual.ts";
import { completionScript, shells } from "../../src/cli/completion/scripts.ts";
import { factsOf } from "../../src/cli/completion/tree.ts";
import { expectGolden } from "../support/golden.ts";

const folder = join(import.meta.dir, "completion");

function small(): Command {
  const program = new Command("small")
    .description("A small program")
    .option("--state <dir>", "where it's kept");
  const token = program.command("token").description("tokens, [all]: of them");
  token
    .command("create")
    .description("make one")
    .option("--ttl <duration>", "how long")
    .argument("[name]", "whose");
  token.command("list").description("show them");
  program
    .command("apply")
    .description(".files that hold 'documents'")
    .argument("<file>", "a \\ file")
    .option("-f, --file <file>", "one more; - for none")
    .option("--dry-run", "only look");
  program.command("secret", { hidden: true }).description("nobody's business");
  return program;
}

test.each([...shells])("the script for %s", (shell) => {
  expectGolden(join(folder, `small.${shell}`), completionScript(shell, factsOf(small())));
});

test("the manual pages", () => {
  const pages = manualPages(factsOf(small()), { version: "1.2.3", exitCodes: [["0", "done"]] });
  expect(pages.map(({ file }) => file)).toEqual(["small.1", "small-token.1", "small-apply.1"]);
  expectGolden(join(folder, "small.man"), pages.map(({ file, text }) => `==> ${file}\n${text}`).join("\n"));
});
