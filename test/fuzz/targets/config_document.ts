/** Documents of users: read, or refused with problems that have a place, in bounded time. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { loadDocuments } from "../../../src/config/load.ts";
import { limits } from "../../../src/model/limits.ts";
import { magnitude, must, type FuzzTarget } from "../target.ts";

const folder = join(import.meta.dir, "../../golden/config");

export const configDocument: FuzzTarget = {
  name: "config-document",
  words: [
    ...[
      "\n",
      " ",
      "  ",
      "- ",
      ": ",
      "---\n",
      "{",
      "}",
      "[",
      "]",
      "&a ",
      "&a {b: *a}",
      "&a [*a]",
      "*a",
      "!!x ",
      "'",
      '"',
      "#",
      "kind",
      "name: ",
    ],
    ...[
      "__proto__",
      "constructor",
      "null",
      "~",
      "<<: ",
      "0x1f",
      "1e999",
      "\u00c3\u00a9",
      "\u0000",
      "|",
      ">-",
      "? ",
      "\t",
      "\ufeff".length > 0 ? "\u00ef\u00bb\u00bf" : "",
    ],
    ...["Service", "HTTPRoute", "Access", "Machine", "5s", "-1", "99999999999999999999", "(a+)+$"],
  ],
  bytesMax: 8_000,
  inputMs: 500,
  seeds: () =>
    readdirSync(folder)
      .filter((name) => name.endsWith(".yaml"))
      .map((name) => Uint8Array.from(readFileSync(join(folder, name)))),
  check(input) {
    const text = new TextDecoder().decode(input);
    const { issues, documents } = loadDocuments([{ file: "f.yaml", text }], { policies: [] });
    must(issues.length <= limits.documentIssuesMax + 1, `${issues.length} problems`);
    for (const issue of issues)
      must(
        issue.line > 0 && issue.column > 0 && issue.message !== "",
        `a problem without a place: ${JSON.stringify(issue)}`,
      );
    const [first] = issues;
    if (first === undefined) return `fine ${documents.length}`;
    // Three plain words of the problem: the rest of it is what the input said.
    const words = /\b[a-z]{2,12} [a-z]{2,12} [a-z]{2,12}\b/.exec(first.message)?.[0] ?? "";
    return `${magnitude(issues.length)} ${words}`;
  },
};
