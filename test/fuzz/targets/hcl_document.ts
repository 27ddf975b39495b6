/** Config entries of Consul in HCL: read, or refused at a place that there is, in bounded time. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseHcl } from "../../../src/config/convert/hcl_file.ts";
import { must, type FuzzTarget } from "../target.ts";

const folder = join(import.meta.dir, "../../golden/convert_hcl");

export const hclDocument: FuzzTarget = {
  name: "hcl-document",
  words: [
    ...[
      "{",
      "}",
      "[",
      "]",
      "=",
      ":",
      ",",
      "\n",
      '"',
      "\\",
      "${",
      "<<EOF\n",
      "<<-A\n",
      "\nEOF\n",
      "#",
      "//",
      "/*",
      "*/",
    ],
    ...["__proto__", "constructor", "true", "0x", "1e999", "-", ".", "\\u00e9", "\\777", "Kind", '"a" "b" {'],
  ],
  bytesMax: 8_000,
  inputMs: 500,
  seeds: () => readdirSync(folder).map((name) => Uint8Array.from(readFileSync(join(folder, name)))),
  check(input) {
    const text = new TextDecoder().decode(input);
    const { documents, issues } = parseHcl("f.hcl", text);
    must(documents.length + issues.length <= 1, `${documents.length} documents, ${issues.length} problems`);
    const lines = text.split("\n");
    for (const { line, column } of issues)
      must(column >= 1 && column <= (lines[line - 1]?.length ?? -1) + 1, `no such place: ${line}:${column}`);
    for (const { value, place } of documents)
      for (const key of Object.keys(value as object))
        must(place([key], true).line <= lines.length, `no such line of ${key}`);
    const [first] = issues;
    return first === undefined
      ? `fine ${documents.length}`
      : first.message.replaceAll(/[^a-z ]/g, "").slice(0, 40);
  },
};
