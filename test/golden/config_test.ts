/**
 * Documents in, issues and models out, as they were once judged right: `config/<case>.yaml` and `.expected`.
 * GOLDEN=update writes what comes out now: read the difference before keeping it.
 */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { inOrderOfPlace, issueText } from "../../src/config/issue.ts";
import { lintDocuments } from "../../src/config/lint/lint.ts";
import { loadDocuments } from "../../src/config/load.ts";
import { expectGolden } from "../support/golden.ts";

const folder = join(import.meta.dir, "config");

for (const file of readdirSync(folder).filter((name) => name.endsWith(".yaml"))) {
  test(`${file} gives what is expected`, () => {
    const text = readFileSync(join(folder, file), "utf8");
    const { documents, machines, issues } = loadDocuments([{ file, text }], { policies: ["header-route"] });
    const fits = !issues.some((issue) => issue.severity === "error");
    const lines = inOrderOfPlace([...issues, ...lintDocuments(documents, [])]).map(
      (issue) => `${issue.severity}: ${issueText(issue)}`,
    );
    const models = [...documents.map((each) => each.document), ...machines.map((each) => each.document)];
    if (fits) lines.push(JSON.stringify(models, null, 2));
    expectGolden(join(folder, file.replace(".yaml", ".expected")), `${lines.join("\n")}\n`);
    expect(lines.length).toBeGreaterThan(0);
  });
}
