/**
 * Documents of other meshes in, documents of heddle and what became of each out: `convert/<mesh>/`, and `<mesh>.expected` beside it.
 * `counts.expected` holds how many fare how. `ORIGIN.md` says whence they are. GOLDEN=update writes what comes out now.
 */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import {
  convertDocuments,
  dialects,
  type Conversion,
  type DialectName,
} from "../../src/config/convert/convert.ts";
import { issueText } from "../../src/config/issue.ts";
import { loadDocuments } from "../../src/config/load.ts";
import { testMs } from "../support/patience.ts";
import { expectGolden } from "../support/golden.ts";

setDefaultTimeout(testMs);

const folder = join(import.meta.dir, "convert");
const trustDomain = "corp.example";
const names = Object.keys(dialects) as DialectName[];

function converted(dialect: DialectName): ReadonlyMap<string, Conversion> {
  const files = readdirSync(join(folder, dialect)).sort();
  return new Map(
    files.map((file) => {
      const text = readFileSync(join(folder, dialect, file), "utf8");
      return [file, convertDocuments([{ file, text }], dialect, { trustDomain })];
    }),
  );
}

function shown(file: string, { text, sources }: Conversion): string {
  const lines = sources.flatMap(({ line, title, outcome, notes }) => [
    `${file}:${line}: ${title}: ${outcome}`,
    ...notes.map((note) => `    ${note.kind} :${note.line} ${note.field}: ${note.text}`),
  ]);
  return `${lines.join("\n")}\n\n${text}`;
}

for (const dialect of names)
  describe(`documents of ${dialect}`, () => {
    const all = converted(dialect);

    test("become what was judged right, each with what is lost named", () => {
      const texts = [...all].map(([file, conversion]) => shown(file, conversion));
      expectGolden(join(folder, `${dialect}.expected`), texts.join("\n\n"));
    });

    test("become documents that heddle takes without an error", () => {
      for (const [file, { text }] of all) {
        const { issues } = loadDocuments([{ file, text }], { policies: null });
        const errors = issues.filter(({ severity }) => severity === "error").map(issueText);
        expect([file, errors]).toEqual([file, []]);
      }
    });

    test("are at least 25 samples", () => expect(all.size).toBeGreaterThanOrEqual(25));
  });

test("how many are converted, converted with a named loss, and refused with the reason is kept", () => {
  const lines = names.map((dialect) => {
    const all = [...converted(dialect).values()].map(({ counts }) => counts);
    const sum = (outcome: keyof Conversion["counts"]): number =>
      all.reduce((total, counts) => total + counts[outcome], 0);
    return `${dialect}: ${sum("converted")} converted, ${sum("loss")} with a named loss, ${sum("refused")} refused\n`;
  });
  expectGolden(join(folder, "counts.expected"), lines.join(""));
});

test("a field that nobody knows is named as lost, or with what is lost around it, wherever it stands", () => {
  const silent: string[] = [];
  // A quarter of the places, of each document others: all of them take long.
  let turn = 0;
  for (const dialect of names)
    for (const file of readdirSync(join(folder, dialect)).sort()) {
      const text = readFileSync(join(folder, dialect, file), "utf8");
      const values = parseAllDocuments(text).map((each): unknown => each.toJS());
      for (const [at, value] of values.entries()) {
        const first = turn++ % 4;
        for (const [place, changed] of [...withUnknown(value)].filter((_, index) => index % 4 === first)) {
          const texts = values.map((each, index) => JSON.stringify(index === at ? changed : each));
          const { sources } = convertDocuments([{ file, text: texts.join("\n---\n") }], dialect, {
            trustDomain,
          });
          const { outcome, notes = [] } = sources[at] ?? {};
          const isTold = notes.some(
            ({ kind, field }) => kind === "loss" && (place === "" ? "Zzz" : `${place}.Zzz`).startsWith(field),
          );
          if (outcome !== "refused" && !isTold) silent.push(`${dialect}/${file}: ${place}`);
        }
      }
    }
  expect(silent).toEqual([]);
});

/** Mappings whose keys are names that authors give. */
const ownNames = new Set([
  ...["Set", "Add", "Failover", "Subsets", "set", "add", "labels", "annotations", "matchLabels", "selector"],
  ...["tags", "headers", "queryParams"],
]);

/** The document with one more field, at each of its mappings in turn. */
function* withUnknown(value: unknown): Generator<readonly [string, unknown]> {
  const paths: (readonly string[])[] = [];
  const walk = (inside: unknown, path: readonly string[]): void => {
    if (typeof inside !== "object" || inside === null) return;
    if (!Array.isArray(inside) && !ownNames.has(path.at(-1) ?? "")) paths.push(path);
    for (const [key, each] of Object.entries(inside)) walk(each, [...path, key]);
  };
  walk(value, []);
  for (const path of paths) {
    const changed = structuredClone(value);
    const inside = path.reduce<unknown>((at, step) => (at as Record<string, unknown>)[step], changed);
    (inside as Record<string, unknown>)["Zzz"] = { Unknown: 1 };
    yield [
      path.reduce(
        (text, step) => (/^\d+$/.test(step) ? `${text}[${step}]` : text === "" ? step : `${text}.${step}`),
        "",
      ),
      changed,
    ];
  }
}
