/** Machines that know several addresses of the control plane, or whose files an older version wrote. */
import { afterAll, beforeAll, describe, test } from "bun:test";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import type { Settings } from "../../src/app/settings.ts";
import { stateFolder } from "../../src/app/state_folder.ts";
import { binaryMissing } from "../../compile/repository.ts";
import { addressOf } from "../support/addresses.ts";
import { callByName, callUntil } from "../support/http_calls.ts";
import { startMesh, type Machine, type Mesh } from "../support/mesh.ts";
import { testMs } from "../support/patience.ts";

const documents = `
{kind: Service, name: caller, port: 80, protocol: http}
---
{kind: Service, name: web, port: 80, protocol: http}
`;

describe.skipIf(binaryMissing)("a machine", () => {
  let mesh: Mesh;

  beforeAll(async () => {
    const services = [
      { service: "caller", app: "none", calls: { web: "by-name" } } as const,
      { service: "web" } as const,
    ];
    mesh = await startMesh({ documents, machines: [{ name: "vm-a", services }] });
  }, testMs);
  afterAll(async () => await mesh?.stop());

  /** Starts the proxy again with other settings, and with nothing that it knew: all has to come from the control plane. */
  async function startAgain(machine: Machine, change: (settings: Settings) => object): Promise<void> {
    const folder = stateFolder(machine.state);
    await machine.proxy.stop();
    const settings = JSON.parse(readFileSync(folder.settings, "utf8")) as Settings;
    writeFileSync(folder.settings, JSON.stringify(change(settings)));
    rmSync(folder.snapshot, { recursive: true, force: true });
    await machine.proxy.start();
    await mesh.settled();
    const call = () => callByName(machine, "caller", "web");
    await callUntil("it reaches web", call, ({ status }) => status === 200);
  }

  test(
    "whose first address of controller and registry is dead has its snapshot and its instances by the second",
    async () => {
      const dead = { host: addressOf(40), port: 1 };
      await startAgain(mesh.machine("vm-a"), ({ controllers, registries, ...rest }) => ({
        ...rest,
        controllers: [dead, ...controllers],
        registries: [dead, ...registries],
      }));
    },
    testMs,
  );

  test(
    "whose settings an older version wrote, with one address of each, starts as it did",
    async () => {
      await startAgain(mesh.machine("vm-a"), ({ controllers, registries, ...rest }) => ({
        ...rest,
        controller: controllers.at(-1),
        registry: registries.at(-1),
      }));
    },
    testMs,
  );
});
