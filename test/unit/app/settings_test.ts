import { expect, test } from "bun:test";
import { readSettings, writeSettings, type Settings } from "../../../src/app/settings.ts";
import { stateFolder } from "../../../src/app/state_folder.ts";
import type { Files } from "../../../runtime/contract.ts";

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
