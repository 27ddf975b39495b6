/** Bundles in the form of the SPIFFE specification: what is kept, ignored and refused. */
import { expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { createAuthority } from "../../../src/identity/authority.ts";
import { readBundle, writeBundle } from "../../../src/identity/trust_bundle.ts";
import { makeTestAuthority } from "../../support/certificates.ts";

const td = "corp.example";
const state = await createAuthority(td, Date.now());
const rootPem = state.roots[0]?.certificatePem ?? "";
const other = await makeTestAuthority();
const leaf = await other.issue({ uri: "spiffe://mesh.test/a" });
const base64Of = (pem: string): string => new X509Certificate(pem).raw.toString("base64");
const entry = { use: "x509-svid", kty: "EC", x5c: [base64Of(rootPem)] };
const read = (document: unknown) => readBundle(JSON.stringify(document), td);
const rootsIn = (keys: unknown[]): string[] =>
  read({ keys }).rootsPem.map((pem) => new X509Certificate(pem).fingerprint256);

test("what is written is read back, with the public keys spelt out and no key ids", () => {
  const bundle = { trustDomain: td, sequence: 7, rootsPem: [rootPem, other.rootPem] };
  const written = writeBundle(bundle, 300_000);
  expect(written).toMatchObject({ spiffe_sequence: 7, spiffe_refresh_hint: 300 });
  for (const key of written.keys) {
    expect(Object.keys(key).sort()).toEqual(["crv", "kty", "use", "x", "x5c", "y"]);
    expect(key).toMatchObject({ use: "x509-svid", kty: "EC", crv: "P-256" });
  }
  const back = read(written);
  expect(back).toMatchObject({ trustDomain: td, sequence: 7 });
  expect(back.rootsPem.map(base64Of)).toEqual(bundle.rootsPem.map(base64Of));
});

test("an empty list of keys revokes all of them", () => {
  expect(read({ keys: [] }).rootsPem).toEqual([]);
});

test("entries of another use or key type, and those without a certificate, are ignored", () => {
  const ignored = [
    { ...entry, use: "jwt-svid", kid: "1" },
    { ...entry, use: "x509-svid-2" },
    { kty: "EC", x5c: entry.x5c },
    { ...entry, kty: "lattice" },
    { use: "x509-svid", kty: "EC" },
    { ...entry, x5c: [] },
    { ...entry, x5c: "text" },
    null,
    7,
  ];
  expect(rootsIn([...ignored, entry])).toEqual([new X509Certificate(rootPem).fingerprint256]);
});

test("of several certificates in an entry the first counts", () => {
  const both = { ...entry, x5c: [base64Of(rootPem), base64Of(other.rootPem)] };
  expect(rootsIn([both])).toEqual([new X509Certificate(rootPem).fingerprint256]);
});

test("what is no bundle is refused with the reason", () => {
  expect(() => readBundle("{", td)).toThrow("Cannot read the bundle of corp.example");
  for (const document of [null, [], "x", {}, { keys: {} }])
    expect(() => read(document)).toThrow("no list of keys");
  for (const spiffe_sequence of [-1, 1.5, "7"])
    expect(() => read({ keys: [], spiffe_sequence })).toThrow("spiffe_sequence");
  for (const x5c of [["bm9uc2Vuc2U="], [7], [base64Of(leaf.chainPem)]])
    expect(() => read({ keys: [entry, { ...entry, x5c }] })).toThrow(
      "key 2 has an x5c that is no certificate",
    );
});
