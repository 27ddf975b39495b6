/**
 * Runs test files one after the other: `main.ts FAILING FILE...`, the first being names of tests as a JSON array: those that are known
 * to fail, and get less time to be over. Prints a line of JSON for each test when it is over or its time is, and goes on.
 */
import process from "node:process";
import { pathToFileURL } from "node:url";
import { hangMs } from "../patience.ts";
import { declared, endings } from "./test_shim.ts";

const failingMs = 3_000;

export interface Told {
  readonly file: string;
  readonly test: string;
  /** null: it passed. */
  readonly problem: string | null;
}

async function problemOf(work: () => unknown, limitMs: number): Promise<string | null> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it was not over after ${limitMs} ms`)), limitMs);
  });
  try {
    await Promise.race([work(), late]);
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    clearTimeout(timer);
  }
}

function tell(told: Told): void {
  process.stdout.write(`${JSON.stringify(told)}\n`);
}

let current = { file: "", test: "before the first test" };
process.on("uncaughtException", (error) => tell({ ...current, problem: `uncaught: ${String(error)}` }));
process.on("unhandledRejection", (error) => tell({ ...current, problem: `unhandled: ${String(error)}` }));

const [known = "[]", ...files] = process.argv.slice(2);
const failing = new Set(JSON.parse(known) as string[]);
for (const file of files) {
  current = { file, test: "the file" };
  await import(pathToFileURL(file).href);
  for (const { name, work } of declared.splice(0)) {
    current = { file, test: name };
    tell({ ...current, problem: await problemOf(work, failing.has(name) ? failingMs : hangMs) });
  }
  for (const end of endings.splice(0)) await problemOf(end, hangMs);
}
process.exit(0);
