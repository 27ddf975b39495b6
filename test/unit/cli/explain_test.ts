/** `heddle explain` knows every name that the code itself uses, since it reads the same tables. */
import { describe, expect, test } from "bun:test";
import { Command } from "commander";
import * as sdk from "../../../src/policy/sdk.ts";
import { checked } from "../../../src/app/finding.ts";
import { limits } from "../../../src/model/limits.ts";
import { flags } from "../../../src/model/outcome.ts";
import { kindNames, kinds } from "../../../src/config/kinds.ts";
import { parseYaml } from "../../../src/config/yaml_file.ts";
import { families } from "../../../src/telemetry/families.ts";
import { entriesBelow, entryNamed, type Chapter, type Entry } from "../../../src/cli/explain/chapter.ts";
import { allChapters } from "../../../src/cli/explain/chapters.ts";
import { markdownOf } from "../../../src/cli/explain/markdown.ts";

const program = new Command("heddle").option("--state <dir>", "folder of state");
program.command("apply").description("hand documents to the mesh").option("-f, --file <path>", "a file");
const token = program.command("token").description("tokens");
token.command("create").description("make a token").argument("<name>", "its service");
const chapters = allChapters(program);

function chapter(name: string): Chapter {
  const found = chapters.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no chapter ${name}`);
  return found;
}

const namesOf = (name: string): string[] => chapter(name).entries.map((entry) => entry.name);

describe("heddle explain", () => {
  test("knows every limit, in the order of the sources, with its value in words", () => {
    expect(namesOf("limits")).toEqual(Object.keys(limits));
    expect(entryNamed(chapters, "requestheadbytesmax")?.facts).toEqual([["value", "32 KiB"]]);
    expect(entryNamed(chapters, "h2WatchMs")?.facts).toEqual([["value", "1s"]]);
  });

  test("says of every limit in a sentence what it bounds, and no two of them the same", () => {
    const words = chapter("limits").entries.map(({ name, summary }) => [name, summary] as const);
    const isSentence = (summary: string): boolean => /^[^:]+(?:: [^:]+)*: \S+(?: \S+){2,}/s.test(summary);
    expect(words.filter(([, summary]) => !isSentence(summary)).map(([name]) => name)).toEqual([]);
    const twice = words.filter(([, one], at) => words.findIndex(([, other]) => other === one) !== at);
    expect(twice).toEqual([]);
  });

  test("knows every flag, and says where to look next", () => {
    expect(namesOf("flags")).toEqual([...flags]);
    for (const { summary, facts } of chapter("flags").entries) {
      expect(summary).toMatch(/^[A-Z].*[^.]$/);
      expect(facts).toHaveLength(1);
    }
  });

  test("knows everything that a policy may import, with its declaration", () => {
    const names = namesOf("policy");
    for (const name of Object.keys(sdk)) expect(names).toContain(name);
    const declared = entryNamed(chapters, "policyrequest")?.code ?? "";
    expect(declared).toStartWith("interface PolicyRequest extends PolicyBody {");
    expect(declared).toEndWith("\n}");
    expect(entryNamed(chapters, "Next")?.code).toStartWith("interface Next extends Sending {");
    expect(entryNamed(chapters, "next")?.code).toMatch(/^function next\(.*\): Next;$/);
  });

  test("lists commands with the words that are typed, their arguments and flags", () => {
    expect(namesOf("commands")).toEqual(["heddle", "heddle apply", "heddle token create"]);
    expect(entryNamed(chapters, "heddle")?.facts).toEqual([["--state <dir>", "folder of state"]]);
    expect(entryNamed(chapters, "heddle token create")?.facts).toEqual([["<name>", "its service"]]);
  });

  test("knows the limits that documents set by the names that metrics and errors have for them", () => {
    for (const name of [
      "limits.connections",
      "limits.requestsPerEndpoint",
      "rateLimit.identity",
      "bandwidth",
    ])
      expect(entryNamed(chapters, name)?.name).toBe(`Traffic.${name}`);
    expect(entryNamed(chapters, "token create")?.name).toBe("heddle token create");
    expect(entryNamed(chapters, "connectionsMax")?.name).toBe("connectionsMax");
  });

  test("knows every kind of document and every field, each with words of its own and the value it takes", () => {
    const names = namesOf("documents");
    for (const kind of kindNames) expect(names).toContain(kind);
    for (const { name, summary } of chapter("documents").entries)
      expect([name, summary]).toEqual([name, expect.stringMatching(/^\S.*[^.]$/)]);
    expect(entryNamed(chapters, "Service.health.every")?.facts).toEqual([
      ["needed", "no"],
      ["value", "a duration of at least 100ms"],
    ]);
    expect(names).toContain("HTTPRoute.rules[].match.headers");
    expect(names).toContain("HTTPRoute.rules[].timeouts.request");
  });

  test("shows what is below a document or a field, one level of it", () => {
    const below = (name: string): string[] =>
      entriesBelow(chapters, entryNamed(chapters, name) as Entry).map((entry) => entry.name);
    expect(below("Traffic.hedging")).toEqual(["Traffic.hedging.delay"]);
    expect(below("HTTPRoute")).toContain("HTTPRoute.rules");
    expect(below("HTTPRoute.rules")).toContain("HTTPRoute.rules[].match");
    expect(below("HTTPRoute.rules")).not.toContain("HTTPRoute.rules[].match.headers");
    expect(below("Traffic.hedging.delay")).toEqual([]);
    expect(below("UF")).toEqual([]);
  });

  test("shows an example of each kind that is read without a problem", () => {
    for (const { name, example, read } of Object.values(kinds)) {
      const { documents, issues } = parseYaml("example.yaml", example);
      expect(documents).toHaveLength(1);
      for (const document of documents) read(document, issues);
      expect([name, issues]).toEqual([name, []]);
    }
  });

  test("knows every metric, with its type and labels", () => {
    expect(namesOf("metrics")).toEqual(Object.values(families).map(({ name }) => name));
    expect(entryNamed(chapters, "heddle_attempts_total")?.facts).toEqual([
      ["type", "counter"],
      ["labels", "service, cause, result"],
    ]);
  });

  test("knows the codes of heddle check", () => {
    expect(namesOf("checks")).toEqual(Object.keys(checked));
    expect(entryNamed(chapters, "hed0006")?.summary).toStartWith("Whether the clock agrees");
  });

  test("has no entry without a word of explanation, and no name twice in a chapter", () => {
    for (const { name, entries } of chapters) {
      const names = entries.map((entry) => entry.name);
      expect([name, new Set(names).size]).toEqual([name, names.length]);
      expect(entries.filter(({ summary, code }) => summary === "" && code === "")).toEqual([]);
    }
  });

  test("writes every name into its Markdown, and keeps what a table would take for a border", () => {
    const text = markdownOf(chapters, "heddle");
    for (const { entries } of chapters) for (const { name } of entries) expect(text).toContain(name);
    const odd = [
      { name: "x", title: "x", intro: [], entries: [{ name: "a|b", summary: "", facts: [], code: "" }] },
    ];
    expect(markdownOf(odd, "t")).toContain("a\\|b");
  });

  test("shows of a class what authors may call, and how it is done never", () => {
    const declared = entryNamed(chapters, "HeaderList")?.code.split("\n") ?? [];
    expect(declared).toContain("  getAll(name: string): string[];");
    expect(declared).toContain("  entries(): IterableIterator<readonly [name: string, value: string]>;");
    expect(declared.filter((line) => /#flat|constructor|return|^ {4}/.test(line))).toEqual([]);
  });

  test("keeps in its Markdown what would be a tag or emphasis, and leaves code as it is", () => {
    const title = "<b> and *c*, but `<d>`";
    const text = markdownOf([{ name: "x", title, intro: [], entries: [] }], "t");
    expect(text).toContain("\\<b> and \\*c\\*, but `<d>`");
  });
});
