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
import { countsOf, type Counts } from "./report.ts";
import { bun, root } from "./repository.ts";
import { runTwice } from "./twice.ts";

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

/** Runs files of a suite. What fails without a test that does, or before a file's tests, is a failure of the suite. */
function runSuite(
  which: "quick" | "all",
  suite: Suite,
  { folder, files, filter }: { folder: string; files: readonly string[]; filter: readonly string[] },
): Counts {
  const report = join(folder, `${nameOf(suite).replaceAll(/\W+/g, "_")}.xml`);
  rmSync(report, { force: true });
  const answer = spawnSync(
    bun,
    [
      "test",
      `--timeout=${suite.timeoutMs}`,
      "--reporter=junit",
      `--reporter-outfile=${report}`,
      ...files.map((file) => `./${file}`),
      ...filter,
    ],
    { cwd: root, stdio: "inherit", env: { ...environmentFor(which, suite), ...process.env } },
  );
  const text = existsSync(report) ? readFileSync(report, "utf8") : "";
  const counts = countsOf(text);
  const unseen = files.filter((file) => filter.length === 0 && !text.includes(`file="${file}"`));
  if (answer.status !== 0 && (counts.failed === 0 || unseen.length > 0)) {
    counts.failed++;
    const how = unseen.length > 0 ? `without a test of ${unseen.join(", ")}` : "though no test failed";
    counts.failures.push({ text: `${nameOf(suite)} ended with ${answer.status ?? answer.signal}, ${how}` });
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
      total.failures.push({ text: name });
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
  const unsteady: string[] = [];
  for (const suite of chosen) {
    process.stdout.write(`\n-- ${nameOf(suite)}\n`);
    const run = (files: readonly string[]): Counts => runSuite(which, suite, { folder, files, filter: args });
    const { counts, unsteady: once } = suite.binary
      ? runTwice(testsIn(which, suite), run)
      : { counts: run(testsIn(which, suite)), unsteady: [] };
    unsteady.push(...once);
    total.passed += counts.passed;
    total.failed += counts.failed;
    total.skipped += counts.skipped;
    total.failures.push(...counts.failures);
  }
  rmSync(folder, { recursive: true });
  for (const text of unsteady) process.stdout.write(`\nUNSTEADY (failed once, passed alone) ${text}`);
  for (const { text } of total.failures) process.stdout.write(`\nFAIL ${text}`);
  const more = unsteady.length > 0 ? `, ${unsteady.length} unsteady` : "";
  process.stdout.write(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped${more}\n`);
  return total.failed === 0 ? 0 : 1;
}
