/** What older versions kept beside one another is moved to where the proxy's unit cannot reach it, and nothing of it is lost. */
import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { files } from "../../../runtime/shared/files.ts";
import { isOldLayout, settleLayout } from "../../../src/app/state_layout.ts";
import { stateFolder } from "../../../src/app/state_folder.ts";

const old = ["registry.json", "registry.db", "registry.db-wal", "registry.db-shm", "controller.json"];

function madeBefore(): { readonly path: string; readonly remove: () => void } {
  const path = mkdtempSync(`${tmpdir()}/heddle-layout-`);
  for (const name of [...old, "operator.json", "heddle.json"]) writeFileSync(`${path}/${name}`, name);
  return { path, remove: () => rmSync(path, { recursive: true }) };
}

test("each mode moves what is its own, once", async () => {
  const { path, remove } = madeBefore();
  const folder = stateFolder(path);
  expect(await isOldLayout(files, folder)).toBe(true);
  await settleLayout(files, folder, "registry");
  expect(readdirSync(path).sort()).toEqual(["controller.json", "heddle.json", "operator.json", "registry"]);
  await settleLayout(files, folder, "controller");
  expect(await isOldLayout(files, folder)).toBe(false);
  expect(readFileSync(folder.registryStore, "utf8")).toBe("registry.db");
  expect(readFileSync(`${folder.registryStore}-wal`, "utf8")).toBe("registry.db-wal");
  expect(readFileSync(folder.operator, "utf8")).toBe("operator.json");
  for (const each of [folder.control, folder.registry]) expect(statSync(each).mode & 0o777).toBe(0o700);
  await settleLayout(files, folder, "registry");
  remove();
});

test("what was interrupted is finished, and what was renewed meanwhile stays", async () => {
  const { path, remove } = madeBefore();
  const folder = stateFolder(path);
  mkdirSync(folder.registry);
  writeFileSync(folder.registryCredential, "renewed");
  rmSync(`${path}/registry.db-wal`);
  writeFileSync(`${folder.registryStore}-wal`, "moved before");
  await settleLayout(files, folder, "registry");
  expect(readFileSync(folder.registryCredential, "utf8")).toBe("renewed");
  expect(readFileSync(`${folder.registryStore}-wal`, "utf8")).toBe("moved before");
  expect(readFileSync(folder.registryStore, "utf8")).toBe("registry.db");
  remove();
});
