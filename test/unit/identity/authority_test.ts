import { expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { Authority, createAuthority } from "../../../src/identity/authority.ts";
import { generateKey, isProof, pinOf, prove } from "../../../src/identity/keys.ts";
import { isTrustDomain, parseSpiffeId, principalOf } from "../../../src/identity/spiffe_id.ts";

const now = (): number => Date.now();
const state = await createAuthority("corp.example", now());
const openssl = spawnSync("openssl", ["version"]).status === 0;

function authority(): Authority {
  return new Authority(state, async () => {}, now);
}

test("a leaf has one URI name, no CA bit, both key purposes, and chains to the root", async () => {
  const key = generateKey();
  const id = "spiffe://corp.example/ns/default/sa/web";
  const issued = await authority().issue({ spiffeId: id, publicKey: key.publicKey, ttlMs: 60_000 });
  const leaf = new X509Certificate(issued.chainPem);
  expect(leaf.subjectAltName).toBe(`URI:${id}`);
  expect(leaf.ca).toBe(false);
  expect(leaf.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]);
  expect(Math.abs(Date.parse(leaf.validTo) - issued.notAfterMs)).toBeLessThan(1000);
});

test.skipIf(!openssl)(
  "openssl verifies what the authority issues, and prints the profile (needs openssl)",
  async () => {
    const issued = await authority().issue({
      spiffeId: "spiffe://corp.example/ns/a/sa/b",
      publicKey: generateKey().publicKey,
      ttlMs: 60_000,
    });
    const folder = mkdtempSync("/tmp/heddle-identity-");
    const [leaf = "", intermediate = ""] = issued.chainPem.split(/(?<=-----END CERTIFICATE-----\n)/);
    writeFileSync(`${folder}/root.pem`, authority().rootPem);
    writeFileSync(`${folder}/intermediate.pem`, intermediate);
    writeFileSync(`${folder}/leaf.pem`, leaf);
    const verified = spawnSync(
      "openssl",
      ["verify", "-x509_strict", "-CAfile", "root.pem", "-untrusted", "intermediate.pem", "leaf.pem"],
      { cwd: folder, encoding: "utf8" },
    );
    expect(verified.stdout + verified.stderr).toContain("leaf.pem: OK");
    const text = spawnSync("openssl", ["x509", "-in", "leaf.pem", "-noout", "-text"], {
      cwd: folder,
      encoding: "utf8",
    }).stdout;
    expect(text).toMatch(/Key Usage: critical\s+Digital Signature\n/);
    expect(text).toMatch(/Subject Alternative Name: critical\s+URI:spiffe:\/\/corp\.example\/ns\/a\/sa\/b/);
    expect(text).toMatch(/Basic Constraints: critical\s+CA:FALSE/);
    rmSync(folder, { recursive: true });
  },
);

test("a new root is trusted before it signs, and the old one leaves last", async () => {
  const rotating = authority();
  await rotating.addRoot();
  expect(rotating.bundle.rootsPem.length).toBe(2);
  expect(rotating.bundle.sequence).toBe(2);
  expect(rotating.pin).toBe(pinOf(state.roots[0]?.certificatePem ?? ""));
  expect(rotating.removeOldRoot()).rejects.toThrow("still signs");
  await rotating.switchRoot();
  expect(rotating.pin).not.toBe(pinOf(state.roots[0]?.certificatePem ?? ""));
  await rotating.removeOldRoot();
  expect(rotating.bundle).toMatchObject({ sequence: 3 });
  expect(rotating.bundle.rootsPem.length).toBe(1);
});

test("a proof is good for its key and text alone", () => {
  const key = generateKey();
  const proof = prove(key.privatePem, "heddle-join:n:vm");
  expect(isProof(key.publicKey, "heddle-join:n:vm", proof)).toBe(true);
  expect(isProof(key.publicKey, "heddle-join:n:vm2", proof)).toBe(false);
  expect(isProof(generateKey().publicKey, "heddle-join:n:vm", proof)).toBe(false);
  expect(isProof("bm9uc2Vuc2U=", "heddle-join:n:vm", proof)).toBe(false);
  expect(isProof(key.publicKey, "heddle-join:n:vm", "")).toBe(false);
});

test("of all byte values only those of the specification may stand in a trust domain or a path", () => {
  for (let code = 0; code < 256; code++) {
    const letter = String.fromCharCode(code);
    expect([code, isTrustDomain(letter)]).toEqual([code, /[a-z0-9._-]/.test(letter)]);
    const inPath = parseSpiffeId(`spiffe://td/a${letter}b`) !== null;
    expect([code, inPath]).toEqual([code, /[A-Za-z0-9._/-]/.test(letter)]);
  }
});

test("IDs with empty or dot segments, a trailing slash, other schemes, ports or queries are refused", () => {
  for (const text of [
    "spiffe://td/",
    "spiffe://td//a",
    "spiffe://td/a/",
    "spiffe://td/.",
    "spiffe://td/../a",
    "SPIFFE://td/a",
    "http://td/a",
    "spiffe://td:1/a",
    "spiffe://u@td/a",
    "spiffe://td/a?b",
    "spiffe://td/a#b",
    "spiffe://TD/a",
    "spiffe:///a",
    "",
    "spiffe://",
  ]) {
    expect([text, parseSpiffeId(text)]).toEqual([text, null]);
  }
  expect(parseSpiffeId("spiffe://1.2.3.4/a")).toEqual({ trustDomain: "1.2.3.4", path: "/a" });
});

test("an ID names a principal only in its own trust domain and only in the exact form", () => {
  expect(principalOf("spiffe://corp.example/ns/prod/sa/web", "corp.example")).toEqual({
    kind: "service",
    service: { namespace: "prod", name: "web" },
  });
  expect(principalOf("spiffe://corp.example/node/vm-1", "corp.example")).toEqual({
    kind: "node",
    name: "vm-1",
  });
  expect(principalOf("spiffe://other.example/ns/prod/sa/web", "corp.example")).toBeNull();
  expect(principalOf("spiffe://corp.example/ns/prod/sa/web/x", "corp.example")).toBeNull();
  expect(principalOf("spiffe://corp.example", "corp.example")).toBeNull();
});
