/** Documents and policies are found in folders of folders, and what stands in the way is named. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname } from "node:path";
import { files } from "../../../runtime/shared/files.ts";
import { atTheirPlaces, gatherFiles, gatherForApply } from "../../../src/app/apply_files.ts";
import { limits } from "../../../src/model/limits.ts";

const root = mkdtempSync(`${tmpdir()}/heddle-gather-`);
afterAll(() => rmSync(root, { recursive: true }));

let made = 0;

/** A folder of its own with files of these names, each with its name or the text as contents. */
function folderOf(...entries: readonly (string | readonly [name: string, text: string])[]): string {
  const folder = `${root}/${made++}`;
  mkdirSync(folder);
  for (const entry of entries) {
    const [name, text] = typeof entry === "string" ? [entry, entry] : entry;
    mkdirSync(dirname(`${folder}/${name}`), { recursive: true });
    writeFileSync(`${folder}/${name}`, text);
  }
  return folder;
}

const refusalOf = (paths: readonly string[]): Promise<string> =>
  gatherFiles(files, paths).then(
    () => "none",
    (error: Error) => error.message,
  );

describe("a folder of documents", () => {
  test("is read with all below it, its own files first", async () => {
    const folder = folderOf("b.yaml", "team/a.yml", "team/deep/c.yaml", "z.txt");
    const found = await gatherFiles(files, [`${folder}/`]);
    expect(found.files.map(({ file }) => file)).toEqual([
      `${folder}/b.yaml`,
      `${folder}/team/a.yml`,
      `${folder}/team/deep/c.yaml`,
    ]);
  });

  test("is read without what is hidden, what packages bring, and tests of policies", async () => {
    const hidden = ["node_modules/p/x.yaml", ".git/x.yaml", ".x.yaml"];
    const folder = folderOf("a.yaml", ...hidden, "policies/a_test.ts", "policies/x.yaml", "other.ts");
    const found = await gatherFiles(files, [folder]);
    expect(found.files.map(({ file }) => file)).toEqual([`${folder}/a.yaml`]);
    expect(found.policies).toEqual([]);
  });

  test("brings the policies of each policies/ folder, whose faults are told where they lie", async () => {
    const folder = folderOf("a.yaml", "policies/one.ts", "policies/parts/p.ts", "team/policies/one.ts");
    const found = await gatherFiles(files, [folder]);
    expect(found.policies.map(({ file }) => file)).toEqual([
      "policies/one.ts",
      "policies/parts/p.ts",
      "team/policies/one.ts",
    ]);
    const issues = [{ file: "team/policies/one.ts" }, { file: `${folder}/a.yaml` }];
    expect(atTheirPlaces(issues, found)).toEqual([
      { file: `${folder}/team/policies/one.ts` },
      { file: `${folder}/a.yaml` },
    ]);
  });

  test("may hold policies alone, but not nothing", async () => {
    expect((await gatherFiles(files, [folderOf("policies/one.ts")])).policies).toHaveLength(1);
    const empty = folderOf("notes.txt");
    expect(await refusalOf([empty])).toContain(`Cannot use ${empty}: there is no document (.yaml)`);
  });

  test("is refused by name where a link leads back into it", async () => {
    const folder = folderOf("a.yaml", "team/b.yaml");
    symlinkSync(folder, `${folder}/team/again`);
    expect(await refusalOf([folder])).toMatch(
      /^Cannot look into \S+team\/again\S*: it lies 16 folders deep \(documentFoldersMax\)/,
    );
  });

  test("is refused by name where there is far more than documents", async () => {
    const folder = `${root}/crowd`;
    const list = async (): Promise<string[]> => Array.from({ length: 3_000 }, (_, at) => `${at}.yaml`);
    const stat = async (path: string) => ({
      size: 1,
      modifiedMs: 0,
      folder: !path.endsWith(".yaml"),
      mode: 0o755,
      owner: 0,
      inode: 0,
    });
    const crowded = {
      ...files,
      stat,
      read: async () => new Uint8Array(),
      list: async (path: string) => (path === folder ? [..."abcdefghij"] : list()),
    };
    const refusal = gatherFiles(crowded, [folder]).catch((error: Error) => error.message);
    expect(await refusal).toContain(
      `Cannot look through ${folder}/g: with it there are more than ${limits.documentNamesMax} files and folders (documentNamesMax)`,
    );
  });
});

test("a file far over its limit is refused by name before it is read", async () => {
  const folder = folderOf(["big.yaml", "#".repeat(4 * limits.documentBytesMax + 1)]);
  expect(await refusalOf([folder])).toContain(`Cannot read ${folder}/big.yaml: it has 4194305 bytes`);
});

test("files that are too much together are refused at the one with which they are", async () => {
  const big = `#${"x".repeat(limits.documentBytesMax - 100)}`;
  const folder = folderOf(...[..."abcdefgh"].map((name) => [`${name}.yaml`, big] as const));
  expect(await refusalOf([folder])).toContain(`Cannot send ${folder}/h.yaml too: with it the files come to`);
});

test("a file alone brings the policies beside it, once however many files stand there", async () => {
  const folder = folderOf("a.yaml", "b.yaml", "policies/one.ts");
  const found = await gatherFiles(files, [`${folder}/a.yaml`, `${folder}/b.yaml`]);
  expect(found.policies).toEqual([{ file: "policies/one.ts", text: "policies/one.ts" }]);
});

test("two folders with policies of one name are refused, both by name", async () => {
  const [one, two] = [folderOf("policies/p.ts"), folderOf("policies/p.ts")];
  expect(await refusalOf([one, two])).toContain(
    `Cannot use both ${one}/policies/p.ts and ${two}/policies/p.ts`,
  );
});

describe("what is applied", () => {
  const machine = "{kind: Machine, name: vm-1}\n";
  const service = "{kind: Service, name: web, port: 80}\n";

  test("is without the Machine documents that stand among it, each of which is told", async () => {
    const folder = folderOf(["a.yaml", `${service}---\n${machine}`], ["vm/b.yaml", machine]);
    const { files: sent, warnings } = await gatherForApply(files, [folder]);
    expect(sent.map(({ file }) => file)).toEqual([`${folder}/a.yaml`]);
    expect(sent[0]?.text).not.toContain("Machine");
    expect(warnings.map(({ file, line, severity }) => [file, line, severity])).toEqual([
      [`${folder}/a.yaml`, 3, "warning"],
      [`${folder}/vm/b.yaml`, 1, "warning"],
    ]);
  });

  test("goes to the controller as it is where there are Machine documents alone: it refuses them", async () => {
    const found = await gatherForApply(files, [folderOf(["b.yaml", machine])]);
    expect([found.files.length, found.warnings]).toEqual([1, []]);
  });
});
