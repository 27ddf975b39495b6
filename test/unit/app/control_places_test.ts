/** Where a machine finds the control plane follows what the controller says and what is said on the machine, over restarts. */
import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { files } from "../../../runtime/shared/files.ts";
import { ControlPlaces } from "../../../src/app/control_places.ts";
import { writeSettings, type Settings } from "../../../src/app/settings.ts";
import { stateFolder } from "../../../src/app/state_folder.ts";

const at = (host: string, port = 7443) => ({ host, port });
const settings: Settings = {
  format: 1,
  trustDomain: "corp.example",
  node: "vm-2",
  address: "10.0.0.2",
  loopback: "127.0.0.1",
  ports: { inbound: 7445, outboundFirst: 7480, admin: 9464 },
  controllers: [at("10.0.0.1")],
  registries: [at("10.0.0.1", 7444)],
  modes: ["proxy"],
  leafMs: 1_000,
};

async function placesOf(over: Partial<Settings> = {}) {
  const folder = stateFolder(mkdtempSync(`${tmpdir()}/heddle-places-`));
  const own = { ...settings, ...over };
  await writeSettings(files, folder, own);
  const log: string[] = [];
  const written = (): Settings => JSON.parse(readFileSync(folder.settings, "utf8")) as Settings;
  const places = new ControlPlaces(files, folder, own, (text) => void log.push(text));
  return { folder, places, log, written, remove: () => rmSync(folder.path, { recursive: true }) };
}

test("what the controller says is known at once and after a restart, and so is where it was reached", async () => {
  const { places, written, remove } = await placesOf();
  const said = { controllers: [at("10.0.0.1"), at("10.0.0.9")], registries: [at("10.0.0.9", 7444)] };
  await places.told(said, at("10.0.0.1"));
  expect([places.controllers(), places.registries()]).toEqual([said.controllers, said.registries]);
  expect(written()).toMatchObject({ ...settings, ...said });
  const same = places.controllers();
  await places.told(said, at("10.0.0.9"));
  expect(places.controllers()).toBe(same);
  await places.told({ controllers: [at("10.0.0.9")], registries: said.registries }, at("192.0.2.1"));
  expect(places.controllers()).toEqual([at("192.0.2.1"), at("10.0.0.9")]);
  remove();
});

test("what is said on the machine meanwhile is known after a look", async () => {
  const { folder, places, remove } = await placesOf();
  await writeSettings(files, folder, { ...settings, controllers: [at("10.0.0.7"), at("10.0.0.1")] });
  await places.look();
  expect(places.controllers()).toEqual([at("10.0.0.7"), at("10.0.0.1")]);
  remove();
});

test("a machine with a controller of its own goes by its settings alone", async () => {
  const { places, written, remove } = await placesOf({ modes: ["registry", "controller", "proxy"] });
  await places.told({ controllers: [at("10.0.0.9")], registries: [at("10.0.0.9", 7444)] }, null);
  expect(places.controllers()).toEqual(settings.controllers);
  expect(written().controllers).toEqual(settings.controllers);
  remove();
});

test("a state folder that cannot be written costs the next start what was said, and nothing now", async () => {
  const { folder, places, log, remove } = await placesOf();
  await files.remove(folder.path);
  await files.writeAtomic(folder.path, "no folder");
  await places.told({ controllers: [at("10.0.0.9")], registries: [at("10.0.0.9", 7444)] }, null);
  expect(places.controllers()).toEqual([at("10.0.0.9")]);
  expect(log).toEqual([expect.stringContaining("cannot keep where the control plane is")]);
  remove();
});
