/** Operators with roles, whose credentials live where they are used, and a root that is replaced in a hurry. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import type { Address } from "../../src/base/socket_address.ts";
import { binaryMissing } from "../../compile/repository.ts";
import { ports } from "../../src/model/ports.ts";
import { addressOf } from "../support/addresses.ts";
import { heddle, heddleRunning, type Said } from "../support/command.ts";
import { testMs } from "../support/patience.ts";
import { waitFor, type Program } from "../support/processes.ts";
import { shiftedClock } from "../support/shifted_clock.ts";

const [one, two] = [addressOf(0), addressOf(1)];
const documents = "{kind: Service, name: web, port: 80, protocol: http}\n";

describe.skipIf(binaryMissing)("operators", () => {
  const folder = mkdtempSync(`${tmpdir()}/heddle-operators-`);
  const [first, second] = [`${folder}/first`, `${folder}/second`];
  const clockOff = shiftedClock(folder);
  const running: Program[] = [];

  beforeAll(async () => {
    const at = (host: string): string[] => ["--address", host, "--loopback", host];
    await started(["init", "--node", "vm-1", ...at(one)], first);
    await waitFor("it answers", () => (admin("status").code === 0 ? true : null), { everyMs: 50 });
    writeFileSync(`${folder}/token`, tokenFor("web"));
    const web = ["--service", "web", "--port", "8080", "--token-file", `${folder}/token`];
    await started(["join", `${one}:${ports.controller}`, "--node", "vm-2", ...at(two), ...web], second);
    writeFileSync(`${folder}/mesh.yaml`, documents);
  }, testMs);
  afterAll(async () => {
    await Promise.all(running.map((each) => each.stop()));
    rmSync(folder, { recursive: true });
  });

  async function started(args: readonly string[], state: string): Promise<void> {
    const program = heddleRunning(args, `${state}.log`, { state });
    running.push(program);
    const stands = (): true | null => (/in the foreground/.test(program.output()) ? true : null);
    await waitFor(`${args[0]} stands`, stands, { program });
  }

  const admin = (...args: string[]): Said => heddle(args, { state: first });
  const credentialOf = (name: string): string => `${folder}/${name}.operator.json`;
  const as = (name: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Said =>
    heddle(args, { state: `${folder}/elsewhere`, env: { HEDDLE_OPERATOR: credentialOf(name), ...env } });
  const create = (name: string, role: string): Said =>
    admin("operator", "create", name, "--role", role, "--out", credentialOf(name));
  const tokenFor = (service: string): string =>
    (JSON.parse(admin("token", "create", "--service", service, "--output", "json").out) as { token: string })
      .token;
  const log = (): string => readFileSync(`${first}.log`, "utf8");

  test(
    "may do what their role says, and no more",
    () => {
      for (const role of ["viewer", "editor", "admin"]) expect(create(`a-${role}`, role).code).toBe(0);
      const apply = ["apply", "-f", `${folder}/mesh.yaml`];
      const token = ["token", "create", "--service", "web"];
      const codes = (name: string): (number | null)[] =>
        [["status"], apply, token].map((args) => as(name, args).code);
      expect(codes("a-viewer")).toEqual([0, 1, 1]);
      const tried = as("a-viewer", [...apply, "--dry-run"]);
      expect([tried.code, tried.out]).toEqual([0, expect.stringContaining("+ Service web created")]);
      expect(as("a-viewer", ["diff", "-f", `${folder}/mesh.yaml`]).out).toContain(
        "+ {kind: Service, name: web",
      );
      expect(codes("a-editor")).toEqual([0, 0, 1]);
      expect(as("a-viewer", ["diff", "-f", `${folder}/mesh.yaml`]).code).toBe(0);
      expect(codes("a-admin")).toEqual([0, 0, 0]);
      expect(as("a-viewer", apply).err).toContain("The operator a-viewer is viewer: this takes editor");
      expect(log()).toMatch(/controller: a-editor made revision \d+: Service web created/);
      expect(log()).toContain("admin made the operator a-viewer, who is viewer");
    },
    testMs,
  );

  test(
    "are listed and revoked, also where the name is given again",
    () => {
      expect(create("mallory", "admin").code).toBe(0);
      const copied = readFileSync(credentialOf("mallory"));
      expect(admin("operator", "list").out).toMatch(/mallory +admin +24 h 0 min left/);
      expect(create("mallory", "admin").err).toContain("there is a file already");
      expect(admin("operator", "revoke", "mallory").code).toBe(0);
      const refused = as("mallory", ["status"]);
      expect([refused.code, refused.err]).toEqual([
        1,
        expect.stringContaining("The operator mallory was revoked"),
      ]);
      rmSync(credentialOf("mallory"));
      expect(create("mallory", "viewer").code).toBe(0);
      expect(as("mallory", ["status"]).code).toBe(0);
      writeFileSync(credentialOf("mallory"), copied);
      expect(as("mallory", ["status"]).code).toBe(1);
    },
    testMs,
  );

  // Needs a C compiler, for a clock that is wrong.
  test.skipIf(clockOff === null)(
    "renew their credentials where they use them, and learn by that where the controller will be",
    () => {
      expect(create("ada", "viewer").code).toBe(0);
      const places = (): readonly Address[] =>
        (JSON.parse(readFileSync(credentialOf("ada"), "utf8")) as { controllers: Address[] }).controllers;
      const known = places();
      expect(admin("address", "add", "10.9.9.9").code).toBe(0);
      const chain = (): string =>
        (JSON.parse(readFileSync(credentialOf("ada"), "utf8")) as { chainPem: string }).chainPem;
      const before = chain();
      // Two hours later by its own clock: old enough, and still valid for both.
      expect(as("ada", ["status"], clockOff?.(7_200)).code).toBe(0);
      expect(chain()).not.toBe(before);
      expect(places()).toEqual([...known, { host: "10.9.9.9", port: known[0]?.port ?? 0 }]);
      expect(as("ada", ["status"]).code).toBe(0);
    },
    testMs,
  );

  test(
    "replace the root in a hurry: everybody renews at once, and the old one is dropped",
    async () => {
      const rootsOf = (state: string): string[] =>
        (JSON.parse(readFileSync(`${state}/credentials/bundle.json`, "utf8")) as { rootsPem: string[] })
          .rootsPem;
      const old = rootsOf(second);
      const said = admin("ca", "rotate", "--now");
      expect([said.err, said.code, said.out]).toEqual([
        expect.any(String),
        0,
        expect.stringContaining("The new root alone is trusted"),
      ]);
      expect(admin("ca", "status").out).toContain("One root is trusted");
      expect(log()).toContain("admin rotated the root, in a hurry: the old one is trusted no more");
      // Machines hear of it a moment after the operator.
      await waitFor("the old root is dropped there", () => rootsOf(second).length === 1 || null);
      expect(rootsOf(second)).not.toEqual(old);
      const checked = heddle(["check"], { state: second }).out;
      for (const code of ["HED0005 controller: answers", "HED0011 registry: answers"])
        expect(checked).toContain(`✓ ${code}`);
      expect(admin("status").out).toMatch(/vm-2 +connected/);
    },
    testMs,
  );
});
