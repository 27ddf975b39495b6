/** Credentials on disk: whole or not there, readable by their owner alone, refused when they are something else. */
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRuntime } from "../../../runtime/bun/runtime.ts";
import { CredentialStore, type Credential } from "../../../src/identity/credential_store.ts";
import { makeTestAuthority } from "../../support/certificates.ts";

const { files } = createRuntime();
const root = mkdtempSync("/tmp/heddle-credentials-");
afterAll(() => rmSync(root, { recursive: true }));

const authority = await makeTestAuthority();
const web = { name: "web", namespace: "default" };
const bundle = { trustDomain: "corp.example", sequence: 2, rootsPem: [authority.rootPem] };

async function credential(spiffeId: string): Promise<Credential> {
  return { spiffeId, tls: await authority.issue({ uri: spiffeId }), issuedMs: 1, notAfterMs: 2 };
}

const node = await credential("spiffe://corp.example/node/vm");
const service = await credential("spiffe://corp.example/ns/default/sa/web");

test("what was kept is there again, and nobody else can read it", async () => {
  const folder = `${root}/kept/credentials`;
  const store = new CredentialStore(files, folder);
  await store.load([web]);
  expect([store.node, store.bundle, store.service("web.default")]).toEqual([null, null, null]);
  await store.setNode(node);
  await store.setService("web.default", service);
  await store.setBundle(bundle);
  expect(store.node).toBe(node);
  const again = new CredentialStore(files, folder);
  await again.load([web]);
  expect([again.node, again.bundle, again.service("web.default")]).toEqual([node, bundle, service]);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  for (const name of readdirSync(folder)) expect(statSync(`${folder}/${name}`).mode & 0o777).toBe(0o600);
});

test("a bundle is replaced by a newer one of the same trust domain alone", async () => {
  const store = new CredentialStore(files, `${root}/bundles`);
  expect(await store.setBundle(bundle)).toBe(true);
  expect(await store.setBundle({ ...bundle, rootsPem: [] })).toBe(false);
  expect(await store.setBundle({ ...bundle, sequence: 1 })).toBe(false);
  await expect(store.setBundle({ ...bundle, trustDomain: "other.example", sequence: 9 })).rejects.toThrow(
    "belongs to corp.example",
  );
  expect(store.bundle).toEqual(bundle);
  expect(await store.setBundle({ ...bundle, sequence: 3 })).toBe(true);
});

test("a file that holds something else is an error with its name", async () => {
  const folder = `${root}/broken`;
  await new CredentialStore(files, folder).setNode(node);
  const foreign = { ...node, tls: { ...node.tls, keyPem: service.tls.keyPem } };
  for (const text of [
    "",
    "{",
    "null}",
    "[]",
    "{}",
    JSON.stringify({ ...node, tls: null }),
    JSON.stringify(foreign),
  ]) {
    writeFileSync(`${folder}/node.json`, text);
    await expect(new CredentialStore(files, folder).load([])).rejects.toThrow(`${folder}/node.json`);
  }
  writeFileSync(`${folder}/node.json`, JSON.stringify(node));
  writeFileSync(`${folder}/bundle.json`, JSON.stringify({ ...bundle, rootsPem: "x" }));
  await expect(new CredentialStore(files, folder).load([])).rejects.toThrow(`${folder}/bundle.json`);
});

test("a change that cannot be written leaves what was", async () => {
  const folder = `${root}/full`;
  const full = { ...files, writeAtomic: () => Promise.reject(new Error("no space left on device")) };
  const store = new CredentialStore(full, folder);
  await new CredentialStore(files, folder).setNode(node);
  await store.load([]);
  await expect(store.setNode({ ...node, issuedMs: 9 })).rejects.toThrow("no space left");
  expect(store.node).toEqual(node);
});
