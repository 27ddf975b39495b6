/**
 * Files and functions that a reader holds in mind. What is longer stands here with its reason and with the length that it
 * may not pass; the lists only shrink: who gets short leaves them.
 */
import { expect, test } from "bun:test";
import { readSources, type SourceFile } from "./sources.ts";

const fileLinesMax = 400;
const functionLinesMax = 70;

interface Long {
  /** It may not grow beyond this. `null`: a table, which is as long as what it lists. */
  readonly linesMax: number | null;
  readonly reason: string;
}

const split = "has a second task that wants a file of its own";
const cases = "one case after the other";
const longFiles: Readonly<Record<string, Long>> = {
  "runtime/contract.ts": { linesMax: null, reason: "the whole seam on one page" },
  "src/model/limits.ts": { linesMax: null, reason: "a table" },
  "src/cli/demo/story.ts": { linesMax: 450, reason: split },
  "src/http/h1_client.ts": { linesMax: 550, reason: split },
  "src/http/h2_stream.ts": { linesMax: 450, reason: split },
  "src/wire/h2/hpack_encoder.ts": { linesMax: 450, reason: split },
  "test/system/machines/intercept_test.ts": { linesMax: 450, reason: cases },
  "test/system/opaque_test.ts": { linesMax: 450, reason: cases },
  "test/unit/http/http2_server_test.ts": { linesMax: 750, reason: cases },
  "test/unit/http/http2_timers_test.ts": { linesMax: 600, reason: cases },
  "test/unit/wire/h2/hpack_test.ts": { linesMax: 500, reason: cases },
};

const assembling = "puts a mode together, part after part";
const closures = "its parts share what was loaded or made once";
const longFunctions: Readonly<Record<string, Long>> = {
  "src/app/controller_mode.ts startController": { linesMax: 100, reason: assembling },
  "src/identity/certificates.ts loadIssuer": { linesMax: 90, reason: closures },
  "test/support/peers/run_isolation.ts exchange": { linesMax: 75, reason: closures },
};

const files = readSources("src", "runtime", "policies", "compile", "test");

function judged(lengths: ReadonlyMap<string, number>, max: number, list: Readonly<Record<string, Long>>) {
  const long = [...lengths].filter(
    ([name, lines]) => lines > (name in list ? (list[name]?.linesMax ?? lines) : max),
  );
  const leave = Object.keys(list).filter((name) => (lengths.get(name) ?? 0) <= max);
  return { tooLong: long.map(([name, lines]) => `${name}: ${lines} lines`), mustLeaveTheList: leave };
}

const sound = { tooLong: [], mustLeaveTheList: [] };

test(`a file has at most ${fileLinesMax} lines, or its reason`, () => {
  const lengths = new Map(files.map(({ path, text }) => [path, text.trimEnd().split("\n").length]));
  expect(judged(lengths, fileLinesMax, longFiles)).toEqual(sound);
});

test(`a function has at most ${functionLinesMax} lines, or its reason`, () => {
  const lengths = new Map(files.flatMap(functionsOf));
  expect(judged(lengths, functionLinesMax, longFunctions)).toEqual(sound);
});

/** What opens a block and is no function. */
const otherBlock =
  /^(?:\} )?(?:if|for|while|switch|else|catch|try|do|finally|(?:export )?(?:abstract )?(?:class|interface|namespace))\b/;
/** Groups of tests are as long as what they group. */
const testGroup = /^(?:describe|test)\b/;
const functionEnd = /(?:=>|\)(?:: .+)?|\bfunction\b.*) \{$/;

/** `path name` and lines of each function, as the formatter sets them: its last line is a brace under its first. */
function functionsOf({ path, code }: SourceFile): [string, number][] {
  const lines = code.split("\n");
  return lines.flatMap((line, at): [string, number][] => {
    const indent = /^\s*/.exec(line)?.[0] ?? "";
    if (!functionEnd.test(line) || otherBlock.test(line.trim())) return [];
    const first = line.trim().startsWith(")") ? headOf(lines, at, indent) : at;
    const head = lines[first]?.trim() ?? "";
    if (otherBlock.test(head) || testGroup.test(head)) return [];
    const last = lines.findIndex((one, below) => below > at && one.startsWith(`${indent}}`));
    const name = /(?:function\*?|const)\s+(\w+)|^[\w\s]*?(#?\w+)\s*[<(]/.exec(head)?.slice(1).join("") ?? "";
    return [[`${path} ${name === "" ? `line ${first + 1}` : name}`, last - first + 1]];
  });
}

/** Where the head begins whose parameters end in this line. */
function headOf(lines: readonly string[], end: number, indent: string): number {
  const begins = (line: string): boolean => line.startsWith(indent) && /\S/.test(line[indent.length] ?? " ");
  return lines.slice(0, end).findLastIndex(begins);
}
