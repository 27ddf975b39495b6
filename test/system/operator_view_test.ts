/** What one service may do to what operators see: neither fill it up, nor steer the terminal that shows it. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { binaryMissing } from "../../compile/repository.ts";
import { createRuntime } from "../../runtime/bun/runtime.ts";
import { RegistryClient } from "../../src/api/registry_client.ts";
import { requireSettings } from "../../src/app/settings.ts";
import { stateFolder } from "../../src/app/state_folder.ts";
import { createControlClient } from "../../src/api/control_client.ts";
import { Shard } from "../../src/http/shard.ts";
import { CredentialStore } from "../../src/identity/credential_store.ts";
import { limits } from "../../src/model/limits.ts";
import type { Instance } from "../../src/model/service.ts";
import { startMesh, type Machine, type Mesh } from "../support/mesh.ts";
import { waitFor } from "../support/processes.ts";
import { testMs } from "../support/patience.ts";

const documents = "{kind: Service, name: web, port: 80, protocol: http}\n";
/** Clears a screen, hides what follows, turns the direction of text, begins a line. */
const hostile = "v1\u001b[2J\u001b[8m\u009b31m\u202e\u2028\nvm-9";
const raw = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e\u2028]/;
const runtime = createRuntime();
const service = { name: "web", namespace: "default" };

describe.skipIf(binaryMissing)("a service with a certificate of its own", () => {
  let mesh: Mesh;

  beforeAll(async () => {
    mesh = await startMesh({
      documents,
      machines: [{ name: "vm-a", services: [{ service: "web", app: "none", version: hostile }] }],
    });
  }, testMs);
  afterAll(async () => await mesh?.stop());

  test("leaves nothing raw on the terminal, by no command and in no log", async () => {
    const listed = (): string | null => (mesh.status().instances.length > 0 ? mesh.heddle("status") : null);
    const status = await waitFor("the instance is listed", async () => listed());
    expect(status).toContain("version=v1\\x1b[2J\\x1b[8m\\x9b31m\\u{202e}\\u{2028}\\nvm-9");
    expect(status).not.toMatch(raw);
    const json = mesh.heddle("status", "--output", "json");
    expect(json).not.toMatch(raw);
    expect(mesh.status().instances[0]?.labels["version"]).toBe(hostile);
    for (const log of [mesh.registry, mesh.controller, mesh.machine("vm-a").proxy])
      expect(log.output()).not.toMatch(raw);
  });

  test("fills neither the registry nor the status, and is told by which limit", async () => {
    const registry = await asService(mesh.machine("vm-a"));
    const labels = Object.fromEntries(Array.from({ length: 30 }, (_, at) => [`l${at}`, "x".repeat(120)]));
    const instances = Array.from({ length: 300 }, (_, at): Instance => {
      const id = `vm-a/web.default/${10_000 + at}`;
      return { id, service, node: "vm-a", address: "127.0.0.1", port: 1, labels, ready: false };
    });
    const results = await Promise.allSettled(
      instances.map((each) => registry.register(each, limits.leaseMsMax)),
    );
    registry.control.close();
    const [refused] = results.filter((each) => each.status === "rejected");
    expect((refused?.reason as Error).message).toContain(
      `at most ${limits.instancesPerServiceMax} are allowed (instancesPerServiceMax)`,
    );
    expect(mesh.status().instances).toHaveLength(limits.instancesPerServiceMax);
    expect(mesh.heddle("status")).toContain("l29=xxx");
  });
});

/** As whoever has the files of that machine. */
async function asService(machine: Machine): Promise<RegistryClient> {
  const { net, clock, random, files } = runtime;
  const folder = stateFolder(machine.state);
  const settings = await requireSettings(runtime, folder, "proxy");
  const store = new CredentialStore(files, folder.credentials);
  await store.load([service]);
  const control = createControlClient({
    net,
    clock,
    shard: new Shard(clock),
    servers: settings.registries,
    identity: () => ({
      credential: store.service("web.default")?.tls ?? null,
      rootsPem: store.bundle?.rootsPem ?? [],
    }),
    expect: () => true,
    serverName: "registry.heddle",
  });
  return new RegistryClient(control, clock, random);
}
