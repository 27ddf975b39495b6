/**
 * What an author of policies has of this binary alone: the type checker and the test runner of its runtime, run in a folder that is
 * made for the purpose and goes again. Nothing of the author's machine decides there: no environment, no settings, no packages.
 */
import type { Files, ProcessHost, Random, Runtime } from "../../runtime/contract.ts";
import type { ApiIssue } from "../api/messages.ts";
import { UserError } from "../base/user_error.ts";
import type { StoredPolicy } from "../controller/catalog.ts";
import { createPolicyBundler } from "../controller/policies.ts";
import { authorSettings, kitFiles, kitFolder } from "../policy/author_kit.ts";
import type { Gathered } from "./apply_files.ts";
import { atTheirPlaces, gatherFiles } from "./apply_files.ts";

export interface CheckedPolicies {
  readonly issues: readonly ApiIssue[];
  /** `night-shift 1.0.0`. */
  readonly policies: readonly string[];
}

/**
 * The folder that a path of an author means: that of its `policies/`. A file of a policy stands for it, too.
 * @visibleForTesting
 */
export function authorFolder(path: string): string {
  const within = /^(.*?)(?:^|\/)policies(?:\/.*)?$/.exec(path);
  const folder = within === null ? path : (within[1] ?? "");
  return folder === "" ? (path.startsWith("/") ? "/" : ".") : folder;
}

/** Policies and tests of these folders. Throws where there is no policy. */
export async function gatherPolicies(files: Files, path: string): Promise<Gathered> {
  const gathered = await gatherFiles(files, [authorFolder(path)], { empty: true, tests: true });
  if (gathered.policies.length === 0)
    throw new UserError(
      `There is no policy in ${path}: expected policies/*.ts in it`,
      "heddle policy new NAME writes a folder with one",
      1,
    );
  return gathered;
}

/** Types by the checker of the runtime, then everything that a controller would say of a push. */
export async function checkPolicies(runtime: Runtime, path: string): Promise<CheckedPolicies> {
  const gathered = await gatherPolicies(runtime.files, path);
  await refreshKit(runtime.files, authorFolder(path));
  const types = await checkTypes(runtime, gathered);
  const bundler = createPolicyBundler(runtime);
  const pushed = await bundler.bundle(gathered.policies, new Set()).finally(() => bundler.close());
  // What is no TypeScript is found by both.
  const told = new Set(types.map(({ file, line }) => `${file}:${line}`));
  const others = pushed.issues.filter(({ file, line }) => !told.has(`${file}:${line}`));
  return {
    issues: atTheirPlaces([...types, ...others], gathered),
    policies: pushed.policies.map(({ name, version }) => `${name} ${version}`),
  };
}

/** What the type checker says of policies and their tests, by the names that they are sent under. */
export function checkTypes(
  runtime: Runtime,
  gathered: Pick<Gathered, "policies" | "tests">,
): Promise<ApiIssue[]> {
  return inWorkshop(runtime, gathered, async (folder) => {
    const flags = ["--no-pretty", "--no-script", "--all", "-p", "tsconfig.json"];
    const { output } = await asRuntime(runtime, folder, ["check", ...flags]);
    return typeIssues(output);
  });
}

/**
 * A policy as proxies would have it: of this name, of a folder or one that ships. Without a name the only one of the folder. Throws a
 * UserError where there is none, or it is refused.
 */
export async function compiledPolicy(
  runtime: Runtime,
  path: string,
  name: string | null,
): Promise<StoredPolicy> {
  const bundler = createPolicyBundler(runtime);
  try {
    const ships = name !== null && bundler.shipped.includes(name);
    const gathered = ships ? null : await gatherPolicies(runtime.files, path);
    const made = await bundler.bundle(gathered?.policies ?? [], new Set(ships ? [name] : []));
    const [issue] = made.issues;
    if (issue !== undefined)
      throw new UserError(
        `Cannot use the policies of ${path}: ${issue.file}:${issue.line}:${issue.column}: ${issue.message}`,
        "heddle policy check tells all that is wrong",
        1,
      );
    const fitting = made.policies.filter((each) => name === null || each.name === name);
    const [first] = fitting;
    if (first !== undefined && fitting.length === 1) return first;
    const names = made.policies.map((each) => each.name).join(", ");
    if (name === null) throw new UserError(`Cannot choose one of ${names}: --policy NAME says which`);
    throw new UserError(`There is no policy "${name}" in ${path}: it has ${names}`, null, 1);
  } finally {
    bundler.close();
  }
}

/** Runs the tests beside the policies; what the runner prints goes where this program's output goes. Its exit code. */
export async function testPolicies(
  runtime: Runtime,
  path: string,
  options: { readonly only?: string | undefined; readonly said: (text: string) => void },
): Promise<number> {
  const gathered = await gatherPolicies(runtime.files, path);
  if (gathered.tests.length === 0)
    throw new UserError(`There is no test in ${path}: expected policies/*_test.ts in it`, null, 1);
  const { only, said } = options;
  return inWorkshop(runtime, gathered, async (folder) => {
    const names = only === undefined ? [] : [`--test-name-pattern=${only}`];
    const tests = gathered.tests.map(({ file }) => `./${file}`);
    const { code, output } = await asRuntime(runtime, folder, ["test", ...names, ...tests]);
    let text = output.replaceAll(`${folder}/`, "");
    for (const [file, place] of gathered.places) text = text.replaceAll(file, place);
    said(text.trimEnd());
    return code ?? 1;
  });
}

/** An author's folder that has types for the editor gets those of this heddle. */
async function refreshKit(files: Files, folder: string): Promise<void> {
  if ((await files.stat(`${folder}/${kitFolder}`)) !== null) await writeKit(files, folder);
}

/** Writes what differs of the types and modules that an editor needs. */
export async function writeKit(files: Files, folder: string): Promise<void> {
  await files.makeFolder(`${folder}/${kitFolder}/valibot`);
  for (const [name, text] of kitFiles()) {
    const before = await files.read(`${folder}/${name}`);
    if (before === null || new TextDecoder().decode(before) !== text)
      await files.writeAtomic(`${folder}/${name}`, text);
  }
}

/** A folder for nobody else, with copies of the author's files and all that they import, while `work` goes on. */
async function inWorkshop<Made>(
  { files, process, random }: { files: Files; process: Pick<ProcessHost, "pid">; random: Random },
  { policies, tests }: Pick<Gathered, "policies" | "tests">,
  work: (folder: string) => Promise<Made>,
): Promise<Made> {
  const mark = [...random.bytes(8)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const folder = `/tmp/heddle-policies-${process.pid}-${mark}`;
  await files.makeFolder(folder, 0o700);
  try {
    await writeKit(files, folder);
    await files.writeAtomic(`${folder}/tsconfig.json`, authorSettings);
    for (const { file, text } of [...policies, ...tests]) {
      await files.makeFolder(`${folder}/${file.slice(0, file.lastIndexOf("/"))}`);
      await files.writeAtomic(`${folder}/${file}`, text);
    }
    return await work(folder);
  } finally {
    await files.remove(folder);
  }
}

/** This binary as the runtime that it is made of. */
function asRuntime(
  { name, process }: Pick<Runtime, "name" | "process">,
  folder: string,
  args: readonly string[],
): Promise<{ readonly code: number | null; readonly output: string }> {
  if (name !== "bun")
    throw new UserError(`Cannot ${args[0]} policies: this heddle runs on ${name}, which has no such tool`);
  return new Promise((resolve) => {
    let output = "";
    process.spawn({
      command: [process.program, ...args],
      // Nothing of the author's: neither settings nor secrets.
      env: { BUN_BE_BUN: "1", HOME: folder, NO_COLOR: "1", DO_NOT_TRACK: "1" },
      folder,
      output: (text) => (output += text),
      exited: (code) => resolve({ code, output }),
    });
  });
}

const typeLine = /^(\S.*?)\((\d+),(\d+)\): error (TS\d+: .*)$/;

/** `policies/a.ts(8,11): error TS2322: …`; lines that are set in go with the one before. */
function typeIssues(output: string): ApiIssue[] {
  const issues: { file: string; line: number; column: number; severity: "error"; message: string }[] = [];
  for (const text of output.split("\n")) {
    const [, file, line, column, message] = typeLine.exec(text) ?? [];
    const last = issues.at(-1);
    if (file !== undefined && message !== undefined)
      issues.push({ file, line: Number(line), column: Number(column), severity: "error", message });
    else if (/^\s+\S/.test(text) && last !== undefined) last.message += ` ${text.trim()}`;
    else if (text.startsWith("error "))
      issues.push({ file: "tsconfig.json", line: 1, column: 1, severity: "error", message: text.slice(6) });
  }
  return issues;
}
