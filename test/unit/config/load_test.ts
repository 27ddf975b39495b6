import { describe, expect, test } from "bun:test";
import { limits } from "../../../src/model/limits.ts";
import { parseYaml } from "../../../src/config/yaml_file.ts";
import { processorClock } from "../../support/processor_time.ts";
import { documentKey, loadDocuments, loadMachine } from "../../../src/config/load.ts";

const service = "kind: Service\nname: web\nport: 80\nprotocol: http\n";

describe("loading documents", () => {
  test("takes files in any order and tells the place of both ends of a duplicate", () => {
    const files = [
      { file: "b.yaml", text: `${service}---\n{kind: HTTPRoute, name: r, service: web, rules: [{}]}` },
      { file: "a.yaml", text: service },
    ];
    const { issues } = loadDocuments(files, { policies: null });
    expect(issues.map((each) => `${each.file}:${each.line} ${each.message}`)).toEqual([
      'a.yaml:2 name: there is already the Service "web" at b.yaml:2',
    ]);
  });

  test("says where an alias stands for nothing, also inside what it would stand for", () => {
    for (const text of ["*a", "kind: *a", "kind: &a [*a]", "{kind: &a 1, name: &a {x: [*a]}}"]) {
      const { issues } = loadDocuments([{ file: "a.yaml", text }], { policies: null });
      expect(issues.map((each) => each.message)).toEqual(["*a stands for nothing: there is no &a before it"]);
    }
  });

  test("takes as many aliases as are allowed, and says where those inside of others are too many", () => {
    const many = Array.from({ length: limits.documentAliasesMax }, () => "*a").join(",");
    const { documents, issues } = parseYaml("a.yaml", `kind: Service\na: &a x\nb: [${many}]\n`);
    expect([documents.length, issues]).toEqual([1, []]);
    const nested = "a: &a [x, x]\nb: &b [*a, *a, *a, *a, *a]\nc: [*b, *b, *b, *b, *b]\n";
    const refused = parseYaml("b.yaml", `---\n${nested}`);
    expect(refused.documents).toEqual([]);
    expect(refused.issues.map(({ line, message }) => [line, message.split(":")[0]])).toEqual([
      [2, "The aliases cannot be followed"],
    ]);
  });

  test("keeps each document's own text with its comments", () => {
    const text = `# one\n${service}---\n# two\n${service.replace("web", "api")}`;
    const { documents, issues } = loadDocuments([{ file: "a.yaml", text }], { policies: null });
    expect(issues).toEqual([]);
    expect(documents.map((each) => documentKey(each.document))).toEqual([
      "Service/default/web",
      "Service/default/api",
    ]);
    expect(documents.map((each) => each.source.text.trim())).toEqual([
      `# one\n${service}`.trim(),
      `# two\n${service.replace("web", "api")}`.trim(),
    ]);
  });

  test("counts every key of a mapping, whatever JavaScript means by its name", () => {
    const route = "{kind: HTTPRoute, name: r, service: web, rules: [{split: {web: 1, constructor: 999}}]}";
    const subsets = "subsets: {constructor: {prototype: a}, prototype: {constructor: b}}\n";
    const text = `${service}${subsets}---\n${service.replace("web", "constructor")}---\n${route}`;
    const { documents, issues } = loadDocuments([{ file: "a.yaml", text }], { policies: null });
    expect(issues).toEqual([]);
    expect(documents.map((each) => each.document)).toMatchObject([
      { subsets: { constructor: { prototype: "a" }, prototype: { constructor: "b" } } },
      { name: "constructor" },
      { rules: [{ backends: [{ weight: 1 }, { service: { name: "constructor" }, weight: 999 }] }] },
    ]);
  });

  test("refuses a weight that does not fit under any name, at its place", () => {
    const text = "kind: HTTPRoute\nname: r\nservice: web\nrules:\n  - split:\n      prototype: many\n";
    const { issues } = loadDocuments([{ file: "a.yaml", text }], { policies: null });
    expect(issues.map(({ line, column, message }) => [line, column, message])).toEqual([
      [6, 18, 'rules[0].split.prototype: "many" does not fit, expected a whole number from 0 to 1000000'],
    ]);
  });

  test("refuses options whose names the schema of a policy could lose, at any depth", () => {
    const use = (options: string) => `${service}policies: [{use: p, with: ${options}}]\n`;
    const problems = (options: string) =>
      loadDocuments([{ file: "a.yaml", text: use(options) }], { policies: null }).issues.map(
        (each) => each.message,
      );
    expect(problems("{services: {orders: 1}}")).toEqual([]);
    expect(problems("{constructor: 1}")[0]).toContain("expected a name other than constructor");
    expect(problems("{a: {b: [{prototype: 1}]}}")[0]).toContain("policies[0].with.a");
    expect(problems("{a: {b: [{prototype: 1}]}}")[0]).toContain("without keys named constructor");
  });

  test("takes marks with nothing between them", () => {
    const { documents, issues } = loadDocuments(
      [{ file: "a.yaml", text: `---\n${service}---\n---\n# end\n` }],
      {
        policies: null,
      },
    );
    expect([documents.length, issues]).toEqual([1, []]);
  });

  test("lets any policy be named while none are known", () => {
    const text = `${service}policies: [{use: anything}]\n`;
    expect(loadDocuments([{ file: "a.yaml", text }], { policies: null }).issues).toEqual([]);
    expect(loadDocuments([{ file: "a.yaml", text }], { policies: [] }).issues).toHaveLength(1);
  });
});

const machineWith = (labels: number, length: number): string => {
  const all = Array.from({ length: labels }, (_, at) => `l${at}: ${"x".repeat(length)}`);
  return `{kind: Machine, services: [{service: web, port: 80, labels: {${all.join(", ")}}}]}`;
};

describe("loading a machine", () => {
  test("gives the machine when all is well", () => {
    const { machine, issues } = loadMachine("m.yaml", "{kind: Machine, name: vm-1}");
    expect(issues).toEqual([]);
    expect(machine?.name).toBe("vm-1");
  });

  const cases: readonly (readonly [string, string, string])[] = [
    ["nothing", "", "Expected a document with kind: Machine"],
    ["two machines", "{kind: Machine}\n---\n{kind: Machine}", "Expected one Machine document"],
    ["another document", `kind: Machine\n---\n${service}`, "Only a Machine document belongs on a machine"],
    ["a wrong field", "{kind: Machine, adress: 10.0.0.1}", "did you mean address?"],
    ["more labels than an instance may have", machineWith(65, 1), "at most 64 labels"],
    ["larger labels than an instance may have", machineWith(64, 63), "labels of at most 4096 bytes in all"],
  ];
  for (const [what, text, message] of cases) {
    test(`refuses ${what}`, () => {
      const { machine, issues } = loadMachine("m.yaml", text);
      expect(machine).toBeNull();
      expect(issues.map((each) => each.message).join()).toContain(message);
    });
  }
});

test("a text of far too many documents is refused at the first that is too many, and not read on", () => {
  const spentMs = processorClock();
  const { documents, issues } = parseYaml("f.yaml", "---\n".repeat(200_000));
  expect(documents).toEqual([]);
  expect(issues.map(({ line, message }) => [line, message])).toEqual([
    [limits.documentsMax + 2, `The file has more than ${limits.documentsMax} documents`],
  ]);
  expect(spentMs()).toBeLessThan(1_000);
});

test.each([1, 300, 200_000])(
  "a text of %d lines that are no YAML is refused, and told of no more than need be",
  (lines) => {
    const spentMs = processorClock();
    const { documents, issues } = parseYaml("f.yaml", "}\n".repeat(lines));
    expect(documents).toEqual([]);
    expect(issues).toHaveLength(Math.min(lines, limits.documentIssuesMax));
    expect(spentMs()).toBeLessThan(1_000);
  },
);
