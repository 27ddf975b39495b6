/** Replacing the root through the controller: no step before every machine is ready for it. */
import { afterEach, describe, expect, test } from "bun:test";
import { controllerPaths } from "../../../../src/api/messages.ts";
import type { AuthorityAnswer } from "../../../../src/api/authority_messages.ts";
import { generateKey } from "../../../../src/identity/keys.ts";
import { ControllerUnderTest, type SnapshotReader } from "../../../support/controller_under_test.ts";

let host: ControllerUnderTest;
afterEach(() => host.close());

const status = async (): Promise<AuthorityAnswer> =>
  (await host.operator().call("GET", controllerPaths.authority)).body as AuthorityAnswer;
const rotate = async (force = false): Promise<AuthorityAnswer> =>
  (await host.operator().call("POST", `${controllerPaths.authority}/rotate`, { force }))
    .body as AuthorityAnswer;

/** Says that the machine uses its newest snapshot, with that many roots. */
async function acknowledge(name: string, reader: SnapshotReader, count: number): Promise<number> {
  const { version, bundle } = await reader.snapshot(count);
  await host
    .as(`/node/${name}`)
    .call("POST", controllerPaths.reply, { version, error: null, certificates: [] });
  return bundle.rootsPem.length;
}

describe("a rotation", () => {
  test("waits until every machine trusts the new root, and says who does not", async () => {
    host = await ControllerUnderTest.start();
    await host.put("meta/documents", "{}");
    await host.addNode("vm-1", []);
    await host.addNode("vm-2", []);
    await host.addNode("gone", [], true);
    const [one, two] = [host.follow("vm-1"), host.follow("vm-2")];
    await acknowledge("vm-1", one, 1);
    await acknowledge("vm-2", two, 1);
    expect(await status()).toMatchObject({ phase: "none", roots: 1, sequence: 1, machines: 2, behind: [] });
    expect(await rotate()).toMatchObject({ phase: "added", roots: 2, sequence: 2, behind: ["vm-1", "vm-2"] });
    expect(await acknowledge("vm-1", one, 2)).toBe(2);
    expect((await status()).behind).toEqual(["vm-2"]);
    await expect(rotate()).rejects.toMatchObject({
      status: 409,
      message: "Cannot sign with the new root yet: vm-2 does not trust it",
    });
    expect(await acknowledge("vm-2", two, 2)).toBe(2);
    expect(await rotate()).toMatchObject({ phase: "switched", behind: [] });
  });

  test("goes on without a machine when it is forced to", async () => {
    host = await ControllerUnderTest.start();
    await host.addNode("vm-1", []);
    await rotate();
    await expect(rotate()).rejects.toMatchObject({ status: 409 });
    expect((await rotate(true)).phase).toBe("switched");
  });

  test("keeps the old root while a certificate below it may be alive, forced or not", async () => {
    host = await ControllerUnderTest.start();
    const { authority } = host.controller.issuing.options;
    const { publicKey } = generateKey();
    await authority.issue({ spiffeId: "spiffe://corp.example/node/vm-1", publicKey, ttlMs: 60_000 });
    await rotate();
    const { oldLeavesEndMs } = await rotate();
    expect(oldLeavesEndMs).toBeGreaterThan(Date.now() + 50_000);
    for (const force of [false, true])
      await expect(rotate(force)).rejects.toMatchObject({
        status: 409,
        message: expect.stringContaining("are valid until"),
      });
  });

  test("lets machines join with the root that signs", async () => {
    host = await ControllerUnderTest.start();
    const rootOf = async () =>
      ((await host.as(null).call("GET", controllerPaths.root)).body as { rootPem: string }).rootPem;
    const old = await rootOf();
    await rotate();
    expect(await rootOf()).toBe(old);
    await rotate();
    expect(await rootOf()).not.toBe(old);
    const bundle = (await host.as(null).call("GET", controllerPaths.bundle)).body;
    expect(bundle).toMatchObject({ spiffe_sequence: 2, keys: [{ use: "x509-svid" }, { use: "x509-svid" }] });
  });
});
