/**
 * Runs the test suites one after the other, names what failed and closes with `N passed, N failed, N skipped` over all
 * of them.
 * `quick` is the check while working, of a minute or two: it samples what is long (`test/support/quick.ts`) and leaves
 * the fuzzers, the system tests and what is named here to `all`, which is what must be green.
 */
import { mkdtempSync, readFileSync, existsSync, readdirSync, rmSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { format, types } from "./checks.ts";
import { bun, root } from "./repository.ts";

interface Suite {
  readonly folder: string;
  /** Some of its files again, with proxies of so many event loops. Absent: all files, with one. */
  readonly again?: { readonly loops: number; readonly files: readonly string[] };
  readonly quick: boolean;
  /** Needs dist/heddle. */
  readonly binary: boolean;
  readonly timeoutMs: number;
}

/**
 * What holds however many event loops carry the traffic: protocols, policies, rotation, loss of the control plane, drain, the handing
 * over to a successor, and kill.
 */
const withLoops = [
  ...["http1", "grpc", "opaque", "websocket", "streams", "policy_mesh"],
  ...["rotation", "rotation_now", "absence", "drain", "succession", "kill"],
];

const suites: readonly Suite[] = [
  { folder: "test/tidy", quick: true, binary: false, timeoutMs: 120_000 },
  { folder: "test/unit", quick: true, binary: false, timeoutMs: 120_000 },
  { folder: "policies", quick: true, binary: false, timeoutMs: 120_000 },
  { folder: "test/golden", quick: true, binary: false, timeoutMs: 120_000 },
  { folder: "test/fuzz", quick: false, binary: false, timeoutMs: 120_000 },
  { folder: "test/conformance", quick: true, binary: false, timeoutMs: 120_000 },
  { folder: "test/system", quick: false, binary: true, timeoutMs: 240_000 },
  {
    ...{ folder: "test/system", quick: false, binary: true, timeoutMs: 240_000 },
    again: { loops: 2, files: withLoops },
  },
];

/** Programs of others and seconds of processor time: too dear for the quick check. */
const slow: ReadonlySet<string> = new Set([
  "test/conformance/http2/h2spec_test.ts",
  "test/conformance/runtime/compiled_test.ts",
  "test/conformance/runtime/deno_test.ts",
  "test/conformance/runtime/tls_session_test.ts",
  "test/conformance/store/etcd_test.ts",
]);

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
  /** What failed, by name: what a reader of the last lines alone needs. */
  readonly failures: string[];
}

function countsOf(report: string): Counts {
  const head = /<testsuites\b[^>]*>/.exec(report)?.[0] ?? "";
  const read = (name: string): number => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(head)?.[1] ?? "0");
  const failed = read("failures") + read("errors");
  const skipped = read("skipped");
  return { passed: read("tests") - failed - skipped, failed, skipped, failures: failuresOf(report) };
}

/** The tests of a JUnit report that failed, as "file > group > test: message". */
function failuresOf(report: string): string[] {
  const cases = report.matchAll(/<testcase\b([^>]*[^/])>\s*<(?:failure|error)\b([^>]*)/g);
  return [...cases].map(([, test = "", failure = ""]) => {
    const name = ["file", "classname", "name"].map((key) => attributeOf(test, key));
    const message = attributeOf(failure, "message").replace(/\s+/g, " ").slice(0, longestMessage);
    return `${name.filter((part) => part !== "").join(" > ")}: ${message}`;
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

function nameOf({ folder, again }: Suite): string {
  return again === undefined ? folder : `${folder}, with ${again.loops} event loops`;
}

/** The files with tests, from the root. */
function testsIn(which: "quick" | "all", { folder, again }: Suite): string[] {
  if (again !== undefined) return again.files.map((name) => `${folder}/${name}_test.ts`);
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true })
    .map((name) => `${folder}/${String(name)}`)
    .filter((file) => file.endsWith("_test.ts") && (which === "all" || !slow.has(file)))
    .sort();
}

/** Whatever the environment says goes. */
function environmentFor(which: "quick" | "all", { again }: Suite): Record<string, string> {
  const loops: Record<string, string> =
    again === undefined ? {} : { HEDDLE_TEST_SHARDS: String(again.loops) };
  return { ...loops, ...(which === "quick" ? { HEDDLE_QUICK: "1" } : { HEDDLE_FUZZ_SECONDS: "1" }) };
}

function runSuite(which: "quick" | "all", suite: Suite, folder: string, filter: readonly string[]): Counts {
  const report = join(folder, `${nameOf(suite).replaceAll(/\W+/g, "_")}.xml`);
  const answer = spawnSync(
    bun,
    [
      "test",
      `--timeout=${suite.timeoutMs}`,
      "--reporter=junit",
      `--reporter-outfile=${report}`,
      ...testsIn(which, suite).map((file) => `./${file}`),
      ...filter,
    ],
    { cwd: root, stdio: "inherit", env: { ...environmentFor(which, suite), ...process.env } },
  );
  const counts = existsSync(report)
    ? countsOf(readFileSync(report, "utf8"))
    : { passed: 0, failed: 0, skipped: 0, failures: [] };
  if (answer.status !== 0 && counts.failed === 0) {
    counts.failed = 1;
    counts.failures.push(
      `${nameOf(suite)} ended with ${answer.status ?? answer.signal}, though no test failed`,
    );
  }
  return counts;
}

/** Runs the checks and suites. Returns the exit code. */
export async function runSuites(which: "quick" | "all", args: readonly string[]): Promise<number> {
  const total: Counts = { passed: 0, failed: 0, skipped: 0, failures: [] };
  const tally = (name: string, code: number): void => {
    process.stdout.write(`${code === 0 ? "ok  " : "FAIL"} ${name}\n`);
    if (code === 0) total.passed++;
    else {
      total.failed++;
      total.failures.push(name);
    }
  };
  tally("format", format(true));
  tally("types", types());
  const chosen = suites.filter(
    (suite) => (which === "all" || suite.quick) && testsIn(which, suite).length > 0,
  );
  if (chosen.some((suite) => suite.binary)) {
    await (await import("./binary.ts")).compileBinary({ verbose: false });
  }
  const folder = mkdtempSync(join(tmpdir(), "heddle-test-"));
  for (const suite of chosen) {
    process.stdout.write(`\n-- ${nameOf(suite)}\n`);
    const counts = runSuite(which, suite, folder, args);
    total.passed += counts.passed;
    total.failed += counts.failed;
    total.skipped += counts.skipped;
    total.failures.push(...counts.failures);
  }
  rmSync(folder, { recursive: true });
  for (const failure of total.failures) process.stdout.write(`\nFAIL ${failure}`);
  process.stdout.write(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped\n`);
  return total.failed === 0 ? 0 : 1;
}
