/** The reader of peer certificates: agrees with another reader, and survives any bytes. */
import { X509Certificate } from "node:crypto";
import { expect, test } from "bun:test";
import fc from "fast-check";
import { isAuthority, readPeerCertificate } from "../../../runtime/shared/certificate.ts";
import { makeTestAuthority } from "../../support/certificates.ts";

const authority = await makeTestAuthority();
const uris = ["spiffe://mesh.test/ns/default/sa/cart", "https://example.test/?a=b, URI:spiffe://mesh.test/x"];
const [plain, rich, old] = await Promise.all([
  authority.issue(),
  authority.issue({ uri: uris, dns: ["cart.mesh"] }),
  authority.issue({
    notBefore: new Date("1999-12-31T23:59:59Z"),
    notAfter: new Date("2050-01-01T00:00:00Z"),
  }),
]);
const derOf = (pem: string): Uint8Array => new Uint8Array(new X509Certificate(pem).raw);

test("serial, validity and names are those that another reader finds", () => {
  for (const { chainPem } of [plain, rich, old]) {
    const other = new X509Certificate(chainPem);
    const read = readPeerCertificate(derOf(chainPem));
    expect(read.serial).toBe(other.serialNumber.toLowerCase());
    expect(read.notBeforeMs).toBe(Date.parse(other.validFrom));
    expect(read.notAfterMs).toBe(Date.parse(other.validTo));
  }
  expect(readPeerCertificate(derOf(plain.chainPem)).uris).toEqual([]);
  expect(readPeerCertificate(derOf(rich.chainPem)).uris).toEqual(uris);
});

test("a certificate that may sign others is known by its constraints or its key usage", async () => {
  const below = await authority.intermediate();
  const [wrong, right] = await Promise.all([authority.issue({ ca: true }), below.issue({ uri: uris })]);
  expect(isAuthority(derOf(authority.rootPem))).toBe(true);
  expect(isAuthority(derOf(wrong.chainPem))).toBe(true);
  expect(isAuthority(derOf(right.chainPem))).toBe(false);
  expect(isAuthority(derOf(plain.chainPem))).toBe(false);
  const signer = await authority.issue({ usage: ["digitalSignature", "keyCertSign"] });
  expect(isAuthority(derOf(signer.chainPem))).toBe(true);
  const lister = await authority.issue({ usage: ["digitalSignature", "cRLSign"] });
  expect(isAuthority(derOf(lister.chainPem))).toBe(true);
});

test("changed or cut bytes are read or refused with an Error, never worse", () => {
  const der = derOf(rich.chainPem);
  const changes = fc.array(fc.tuple(fc.nat(der.length - 1), fc.nat(255)), { maxLength: 6 });
  fc.assert(
    fc.property(changes, fc.integer({ min: 0, max: der.length }), (edits, length) => {
      const bytes = der.slice(0, length);
      for (const [at, value] of edits) if (at < length) bytes[at] = value;
      try {
        const read = readPeerCertificate(bytes);
        isAuthority(bytes);
        expect(read.uris.every((uri) => typeof uri === "string")).toBe(true);
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
        expect((error as Error).message).toStartWith("Cannot read certificate");
      }
    }),
    { numRuns: 3_000 },
  );
});
