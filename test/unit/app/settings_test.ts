/** The settings of a machine: as they were written, whole, in one file that units may have mounted. */
import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { readSettings, requireSettings, writeSettings, type Settings } from "../../../src/app/settings.ts";
import { stateFolder } from "../../../src/app/state_folder.ts";
import type { Files } from "../../../runtime/contract.ts";
import { runtime } from "../../support/runtime_under_test.ts";

const folder = stateFolder("/state");

/** Files in memory, as far as settings need them. */
function filesWith(text: string | null): { files: Files; text: () => unknown } {
  let kept = text;
  const files = {
    read: async () => (kept === null ? null : new TextEncoder().encode(kept)),
    stat: async () => null,
    list: async () => [],
    makeFolder: async () => {},
    writeAtomic: async (_path: string, content: string) => void (kept = content),
  } as unknown as Files;
  return { files, text: () => JSON.parse(kept ?? "null") };
}

const settings: Settings = {
  format: 1,
  trustDomain: "corp.example",
  node: "vm-1",
  address: "10.0.0.1",
  loopback: "127.0.0.1",
  ports: { inbound: 1, outboundFirst: 2, admin: 3 },
  controllers: [
    { host: "10.0.0.1", port: 7443 },
    { host: "10.0.0.2", port: 7443 },
  ],
  registries: [{ host: "10.0.0.1", port: 7444 }],
  modes: ["proxy"],
  leafMs: 4,
};

test("several addresses of controller and registry are kept in their order", async () => {
  const { files } = filesWith(null);
  await writeSettings(files, folder, settings);
  expect(await readSettings({ files, process: { user: 0 } }, folder)).toEqual(settings);
});

test("a file of an older version, with one address of each, is read", async () => {
  const { controllers, registries, ...rest } = settings;
  const older = { ...rest, controller: controllers[0], registry: registries[0] };
  const { files } = filesWith(JSON.stringify(older));
  expect(await readSettings({ files, process: { user: 0 } }, folder)).toEqual({
    ...settings,
    controllers: [controllers[0]],
  });
});

test("a file without an address is refused with the field that is missing", async () => {
  const { controllers: _, ...rest } = settings;
  const { files } = filesWith(JSON.stringify(rest));
  await expect(readSettings({ files, process: { user: 0 } }, folder)).rejects.toThrow(
    "Cannot read /state/heddle.json: controllers: expected one address or more, found none",
  );
});

describe("where there is a controller", () => {
  const path = mkdtempSync(`${tmpdir()}/heddle-settings-`);
  afterAll(() => rmSync(path, { recursive: true, force: true }));
  const { files } = runtime;
  const here = stateFolder(path);
  const own: Settings = { ...settings, modes: ["registry", "controller", "proxy"] };
  const more: Settings = { ...own, controllers: [...own.controllers, { host: "10.0.0.3", port: 7443 }] };
  const [one] = own.controllers;

  test("the file stays the one that it was, of one length, whatever is written to it", async () => {
    await writeSettings(files, here, own);
    const { ino } = statSync(here.settings);
    const sizes: number[] = [];
    for (const each of [own, more, { ...own, controllers: [one] as const }]) {
      await writeSettings(files, here, each);
      expect(await readSettings(runtime, here)).toEqual(each);
      expect(statSync(here.settings)).toMatchObject({ ino, mode: 0o100600 });
      sizes.push(statSync(here.settings).size);
    }
    expect(new Set(sizes).size).toBe(1);
    expect(existsSync(here.settingsNext)).toBe(false);
  });

  test("a write that the power cut in the middle is read as it was meant, and finished by the controller", async () => {
    for (const place of ["no byte", "half", "all"]) {
      await writeSettings(files, here, own);
      const cut = { ...files, writeInPlace: async () => Promise.reject(new Error("the power failed")) };
      await expect(writeSettings(cut, here, more)).rejects.toThrow("the power failed");
      const text = readFileSync(here.settingsNext, "utf8");
      if (place !== "no byte") writeFileSync(here.settings, place === "half" ? text.slice(0, 100) : text);
      expect(await readSettings(runtime, here)).toEqual(place === "no byte" ? own : more);
      expect(await requireSettings(runtime, here, "controller")).toEqual(more);
      expect(await readSettings(runtime, here)).toEqual(more);
      expect(existsSync(here.settingsNext)).toBe(false);
    }
  });

  test("what is no settings and no interrupted write is refused", async () => {
    writeFileSync(here.settings, "{");
    await expect(readSettings(runtime, here)).rejects.toThrow(`Cannot read ${here.settings}`);
  });
});
