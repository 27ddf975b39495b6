/** `heddle bugreport` on the compiled binary: all that helps is in it, and nothing that is secret. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { unpackTar } from "modern-tar";
import { binaryMissing } from "../../compile/repository.ts";
import { heddle } from "../support/command.ts";
import { startMesh, type Mesh } from "../support/mesh.ts";
import { testMs } from "../support/patience.ts";

const planted = "pl4nted-s3cret";
const documents = `
{kind: Service, name: web, port: 80, protocol: http, policies: [{use: gatekeeper, with: {apiKey: "${planted}-policy"}}]}
---
kind: HTTPRoute
name: web
service: web
rules:
  - {match: {headers: {authorization: "${planted}-header"}}, split: {web: 100}}
  - {split: {web: 100}}
`;
const gatekeeper = `
import { definePolicy, next } from "heddle/policy";
import * as v from "valibot";
export default definePolicy({
  api: 1, name: "gatekeeper", version: "1.0.0", options: v.object({ apiKey: v.string() }), onError: "open",
  onRequest() { return next(); },
});
`;

describe.skipIf(binaryMissing)("a report of a bug", () => {
  let mesh: Mesh;

  beforeAll(async () => {
    mesh = await startMesh({
      documents,
      policies: { "gatekeeper.ts": gatekeeper },
      addressFirst: 120,
      machines: [
        { name: "vm-a", services: [{ service: "caller", app: "none", calls: { web: "by-name" } }] },
        { name: "vm-b", services: [{ service: "web" }] },
      ],
    });
  }, testMs);
  afterAll(async () => {
    await mesh?.stop();
  }, testMs);

  async function reportOf(state: string): Promise<ReadonlyMap<string, string>> {
    const file = `${mesh.folder}/${state.replaceAll("/", "-")}.tar.gz`;
    const { code, out } = heddle(["bugreport", file], { state });
    expect(code).toBe(0);
    expect(out).toContain("Look through it before you hand it on");
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const entries = await unpackTar(Bun.gunzipSync(readFileSync(file)));
    return new Map(
      entries.map(({ header, data }) => [
        header.name.replace("heddle-bugreport/", ""),
        new TextDecoder().decode(data),
      ]),
    );
  }

  /** Lines of every private key in the folder, and whatever is called a key or a secret. */
  function secretsIn(state: string): string[] {
    const files = readdirSync(state, { recursive: true, withFileTypes: true }).filter((each) =>
      each.isFile(),
    );
    return files.flatMap(({ parentPath, name }) => {
      const text = readFileSync(`${parentPath}/${name}`, "utf8").replaceAll("\\n", "\n");
      const keys = [...text.matchAll(/BEGIN [A-Z ]*PRIVATE KEY-----\n([^-]+)\n-----END/g)];
      const others = [...text.matchAll(/"(?:sessionKey|secret)": ?"([^"]+)"/g)];
      return [...keys, ...others].flatMap(([, body = ""]) =>
        body.split("\n").filter((line) => line.length > 20),
      );
    });
  }

  test("has what is known of a machine, and none of its keys or of what was planted", async () => {
    for (const machine of ["vm-a", "vm-b"]) {
      const { state } = mesh.machine(machine);
      const report = await reportOf(state);
      for (const name of ["bugreport.json", "check.json", "state/snapshot.json", "proxy/config.json"])
        expect([...report.keys()]).toContain(name);
      expect(report.get("proxy/metrics.txt")).toContain("heddle_build_info");
      expect(JSON.parse(report.get("bugreport.json") ?? "").version).toBeString();
      const all = [...report.values()].join("\n");
      const secrets = secretsIn(state);
      expect(secrets.length).toBeGreaterThan(1);
      for (const secret of [planted, ...secrets]) expect(all).not.toContain(secret);
    }
  });

  test("of the controller's machine has nothing of the authority", async () => {
    const state = `${mesh.folder}/control`;
    const report = await reportOf(state);
    expect([...report.keys()]).toContain("controller/config.json");
    expect([...report.keys()]).toContain("registry/metrics.txt");
    const all = [...report.values()].join("\n");
    for (const secret of [planted, ...secretsIn(state)]) expect(all).not.toContain(secret);
    expect(all).not.toContain("PRIVATE KEY");
  });

  test("of other machines comes through the controller, to admins alone", async () => {
    const state = `${mesh.folder}/control`;
    const file = `${mesh.folder}/all.tar.gz`;
    const made = heddle(["bugreport", file, "--machine", "vm-a", "vm-b", "nobody"], { state });
    expect([made.code, made.err]).toEqual([0, ""]);
    expect(made.out).toContain("not in it: nobody: ");
    const outer = await unpackTar(Bun.gunzipSync(readFileSync(file)));
    const names = ["bugreport.json", "vm-a.tar.gz", "vm-b.tar.gz"].map((name) => `heddle-bugreport/${name}`);
    expect(outer.map(({ header }) => header.name)).toEqual(names);
    const secrets = ["vm-a", "vm-b"].flatMap((name) => secretsIn(mesh.machine(name).state));
    for (const { data } of outer.slice(1)) {
      const parts = await unpackTar(Bun.gunzipSync(Uint8Array.from(data ?? [])));
      const texts = parts.map((part) => new TextDecoder().decode(part.data));
      expect(parts.map(({ header }) => header.name)).toContain("heddle-bugreport/proxy/metrics.txt");
      for (const secret of [planted, ...secrets]) expect(texts.join("\n")).not.toContain(secret);
    }
    const credential = `${mesh.folder}/eve.json`;
    mesh.heddle("operator", "create", "eve", "--role", "editor", "--out", credential);
    const refused = heddle(["bugreport", `${mesh.folder}/eve.tar.gz`, "--all"], {
      state: `${mesh.folder}/elsewhere`,
      env: { HEDDLE_OPERATOR: credential },
    });
    expect(refused.code).not.toBe(0);
    expect(refused.err).toContain("admin");
  });

  test("is not written over a file, and is made where nothing runs", () => {
    const { code, err } = heddle(["bugreport", `${mesh.folder}/documents`], {
      state: `${mesh.folder}/control`,
    });
    expect(code).toBe(2);
    expect(err).toContain("there is a file already");
    const state = `${mesh.folder}/nothing`;
    const made = heddle(["bugreport", `${mesh.folder}/empty.tar.gz`], { state });
    expect(made.out).toContain("not in it: state/heddle.json");
    expect(made.code).toBe(0);
  });
});
