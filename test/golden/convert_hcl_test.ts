/**
 * The entries of Consul in `convert/consul` again as HCL, in the ways that people write it (`convert_hcl/`: attributes, blocks, names in
 * snake_case, an agent's settings): each becomes what its twin in JSON or YAML becomes.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { convertDocuments } from "../../src/config/convert/convert.ts";
import { testMs } from "../support/patience.ts";

setDefaultTimeout(testMs);

const written = join(import.meta.dir, "convert_hcl");
const twins = join(import.meta.dir, "convert/consul");
const files = readdirSync(written).sort();

function outcomeOf(folder: string, file: string): unknown {
  const text = readFileSync(join(folder, file), "utf8");
  const made = convertDocuments([{ file, text }], "consul", { trustDomain: "corp.example" });
  expect(made.issues).toEqual([]);
  const withoutPlaces = (all: string): string =>
    all.replaceAll(/\([a-z0-9-]+\.(?:hcl|json|yaml):\d+\)/g, "()");
  // A single block is a mapping, and may stand for a list of one.
  const fieldOf = (field: string): string => field.replaceAll(/_|\[0\]/g, "").toLowerCase();
  return {
    text: withoutPlaces(made.text),
    undecided: withoutPlaces(made.undecided),
    sources: made.sources.map(({ title, outcome, notes }) => ({
      ...{ title, outcome },
      notes: notes.map(({ kind, field, text: said }) => `${kind} ${fieldOf(field)}: ${said}`),
    })),
  };
}

test("there are at least 25 samples", () => expect(files.length).toBeGreaterThanOrEqual(25));

for (const file of files)
  test(`${file} becomes what the same entry in JSON or YAML becomes`, () => {
    const twin = [".json", ".yaml"].map((end) => file.replace(/\.hcl$/, end));
    const found = twin.find((each) => existsSync(join(twins, each)));
    expect(outcomeOf(written, file)).toEqual(outcomeOf(twins, found ?? `a twin of ${file}`));
  });

test("what is told of an entry in HCL stands at its line", () => {
  const text =
    '# An entry.\nKind = "service-router"\nName = "web"\nRoutes {\n  Match { HTTP { Unknown = 1 } }\n}\n';
  const { sources } = convertDocuments([{ file: "a.hcl", text }], "consul", { trustDomain: "corp.example" });
  expect(sources.map(({ title, line }) => `${title} ${line}`)).toEqual(["service-router web 1"]);
  expect(sources[0]?.notes.filter(({ kind }) => kind === "loss")).toEqual([
    {
      kind: "loss",
      line: 5,
      field: "Routes.Match.HTTP.Unknown",
      text: "there is no counterpart: it is left out",
    },
  ]);
});

test("what an agent's settings say beside their entries is named", () => {
  const text =
    'server = true\nconfig_entries {\n  bootstrap {\n    kind = "service-defaults"\n    name = "web"\n  }\n}\n';
  const { sources } = convertDocuments([{ file: "stdin", text }], "consul", { trustDomain: "corp.example" });
  expect(sources.map(({ title, line, outcome }) => `${line} ${title}: ${outcome}`)).toEqual([
    "3 service-defaults web: converted",
    "1 document: refused",
  ]);
});
