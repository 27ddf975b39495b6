/** What a JUnit report says: counts, and what failed by file and name. */

export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
  /** What failed: what a reader of the last lines alone needs. */
  readonly failures: Failure[];
}

export interface Failure {
  /** From the root. Absent: no test of a file, the whole suite. */
  readonly file?: string;
  /** "file > group > test: message". */
  readonly text: string;
}

/** @param report the text of a JUnit report */
export function countsOf(report: string): Counts {
  const head = /<testsuites\b[^>]*>/.exec(report)?.[0] ?? "";
  const read = (name: string): number => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(head)?.[1] ?? "0");
  const failed = read("failures") + read("errors");
  const skipped = read("skipped");
  return { passed: read("tests") - failed - skipped, failed, skipped, failures: failuresOf(report) };
}

/** The tests of a JUnit report that failed, as "file > group > test: message". */
function failuresOf(report: string): Failure[] {
  const cases = report.matchAll(/<testcase\b([^>]*[^/])>\s*<(?:failure|error)\b([^>]*)/g);
  return [...cases].map(([, test = "", failure = ""]) => {
    const name = ["file", "classname", "name"].map((key) => attributeOf(test, key));
    const message = attributeOf(failure, "message").replace(/\s+/g, " ").slice(0, longestMessage);
    const file = attributeOf(test, "file");
    return {
      ...(file === "" ? {} : { file }),
      text: `${name.filter((part) => part !== "").join(" > ")}: ${message}`,
    };
  });
}

function attributeOf(tag: string, key: string): string {
  return unescaped(new RegExp(`\\b${key}="([^"]*)"`).exec(tag)?.[1] ?? "");
}

/** Characters of a failure's message that the closing lines repeat. */
const longestMessage = 4_000;

const entities: Readonly<Record<string, string>> = {
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  amp: "&",
  "#10": "\n",
};

function unescaped(text: string): string {
  return text.replace(/&(#?\w+);/g, (whole, name: string) => entities[name] ?? whole);
}
