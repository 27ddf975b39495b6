/** The authority: what it issues, for how long, and how its root is replaced. */
import { describe, expect, test } from "bun:test";
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { readPeerCertificate } from "../../../runtime/shared/certificate.ts";
import { Authority, createAuthority, RotationRefused } from "../../../src/identity/authority.ts";
import type { AuthorityState } from "../../../src/identity/authority_state.ts";
import { generateKey, isProof, pinOf, prove } from "../../../src/identity/keys.ts";
import { limits } from "../../../src/model/limits.ts";

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

describe("a rotation of the root", () => {
  const dayMs = 24 * 3_600_000;

  /** An authority whose clock the test moves and whose saved states it sees. */
  function rotatingAuthority() {
    const scene = { nowMs: now(), saved: [] as AuthorityState[] };
    const rotating = new Authority(
      state,
      async (next) => void scene.saved.push(next),
      () => scene.nowMs,
    );
    return { scene, rotating };
  }

  const leaf = { spiffeId: "spiffe://corp.example/node/vm", publicKey: generateKey().publicKey };

  test("trusts the new root before it signs, and the old one until its last leaf has ended", async () => {
    const { scene, rotating } = rotatingAuthority();
    const oldPin = rotating.pin;
    await rotating.issue({ ...leaf, ttlMs: dayMs });
    await rotating.addRoot();
    expect([rotating.phase, rotating.bundle.sequence, rotating.bundle.rootsPem.length]).toEqual([
      "added",
      2,
      2,
    ]);
    expect(rotating.pin).toBe(oldPin);
    await expect(rotating.removeOldRoot()).rejects.toThrow("still signs");
    await rotating.switchRoot();
    expect([rotating.phase, rotating.bundle.sequence]).toEqual(["switched", 2]);
    expect(rotating.pin).not.toBe(oldPin);
    scene.nowMs += dayMs - 1;
    await expect(rotating.removeOldRoot()).rejects.toThrow("are valid until");
    scene.nowMs += 1;
    await rotating.removeOldRoot();
    expect([rotating.phase, rotating.bundle.sequence, rotating.bundle.rootsPem.length]).toEqual([
      "none",
      3,
      1,
    ]);
    expect(pinOf(rotating.bundle.rootsPem[0] ?? "")).toBe(rotating.pin);
  });

  test("takes its steps in order, one rotation at a time", async () => {
    const { rotating } = rotatingAuthority();
    await expect(rotating.switchRoot()).rejects.toThrow(RotationRefused);
    await expect(rotating.removeOldRoot()).rejects.toThrow(RotationRefused);
    const both = await Promise.allSettled([rotating.addRoot(), rotating.addRoot()]);
    expect(both.map((each) => each.status)).toEqual(["fulfilled", "rejected"]);
    await rotating.switchRoot();
    await expect(rotating.switchRoot()).rejects.toThrow(RotationRefused);
    await expect(rotating.addRoot()).rejects.toThrow(RotationRefused);
  });

  test("counts only when it was saved", async () => {
    const failing = new Authority(state, () => Promise.reject(new Error("disk full")), now);
    await expect(failing.addRoot()).rejects.toThrow("disk full");
    expect([failing.phase, failing.bundle.sequence]).toEqual(["none", 1]);
  });

  test("goes on where it was after a restart", async () => {
    const { scene, rotating } = rotatingAuthority();
    await rotating.issue({ ...leaf, ttlMs: dayMs });
    await rotating.addRoot();
    await rotating.switchRoot();
    const saved = JSON.parse(JSON.stringify(scene.saved.at(-1))) as AuthorityState;
    const again = new Authority(
      saved,
      async () => {},
      () => scene.nowMs,
    );
    expect([again.phase, again.pin]).toEqual(["switched", rotating.pin]);
    await expect(again.removeOldRoot()).rejects.toThrow("are valid until");
  });
});

describe("lives", () => {
  const leaf = { spiffeId: "spiffe://corp.example/node/vm", publicKey: generateKey().publicKey };
  const dayMs = 24 * 3_600_000;

  test("of leaves begin a minute early and are bounded", async () => {
    const { chainPem, notAfterMs } = await authority().issue({ ...leaf, ttlMs: dayMs });
    const read = new X509Certificate(chainPem);
    expect(now() - Date.parse(read.validFrom)).toBeGreaterThanOrEqual(limits.leafBackdateMs);
    expect(Date.parse(read.validTo)).toBe(notAfterMs);
    for (const ttlMs of [0, -1, Number.NaN, limits.leafMsMax + 1])
      await expect(authority().issue({ ...leaf, ttlMs })).rejects.toThrow("Cannot issue");
  });

  test("end with the issuer, which is replaced at half of its own", async () => {
    let nowMs = now();
    const saved: AuthorityState[] = [];
    const aging = new Authority(
      state,
      async (next) => void saved.push(next),
      () => nowMs,
    );
    const before = await aging.issue({ ...leaf, ttlMs: limits.leafMsMax });
    const issuer = before.chainPem.slice(before.chainPem.indexOf("-----END") + 26);
    expect(before.notAfterMs).toBe(Date.parse(new X509Certificate(issuer).validTo));
    nowMs += limits.intermediateMs / 2 + 10_000;
    const [one, two] = await Promise.all([
      aging.issue({ ...leaf, ttlMs: dayMs }),
      aging.issue({ ...leaf, ttlMs: dayMs }),
    ]);
    expect(one.chainPem).not.toContain(issuer.trim());
    expect(one.chainPem.slice(-200)).toBe(two.chainPem.slice(-200));
    expect(saved.filter((each) => each.intermediate !== state.intermediate).length).toBe(1);
  });

  test("of an issuer below an old root end with it, and it is not replaced for nothing", async () => {
    let nowMs = now();
    const saved: AuthorityState[] = [];
    const old = new Authority(
      state,
      async (next) => void saved.push(next),
      () => nowMs,
    );
    nowMs += limits.rootMs - 10 * dayMs;
    await old.issue({ ...leaf, ttlMs: dayMs });
    nowMs += 5 * dayMs;
    const late = await old.issue({ ...leaf, ttlMs: 30 * dayMs });
    expect(late.notAfterMs).toBe(Date.parse(new X509Certificate(old.rootPem).validTo));
    expect(new Set(saved.map((each) => each.intermediate)).size).toBe(2);
  });
});

test("a leaf is issued for keys of P-256 alone", async () => {
  const spki = (type: "rsa" | "p384"): string => {
    const { publicKey } =
      type === "rsa"
        ? generateKeyPairSync("rsa", { modulusLength: 2048 })
        : generateKeyPairSync("ec", { namedCurve: "P-384" });
    return publicKey.export({ type: "spki", format: "der" }).toString("base64");
  };
  for (const publicKey of [spki("rsa"), spki("p384"), "", "bm9uc2Vuc2U="])
    await expect(
      authority().issue({ spiffeId: "spiffe://corp.example/node/vm", publicKey, ttlMs: 1_000 }),
    ).rejects.toThrow();
});

test("serial numbers are 16 random bytes, as peers read them", async () => {
  const { publicKey } = generateKey();
  const spiffeId = "spiffe://corp.example/node/vm";
  const issued = await Promise.all(
    Array.from({ length: 50 }, () => authority().issue({ spiffeId, publicKey, ttlMs: 60_000 })),
  );
  for (const { serial, chainPem } of issued) {
    expect(serial).toMatch(/^[0-9a-f]{32}$/);
    expect(readPeerCertificate(new Uint8Array(new X509Certificate(chainPem).raw)).serial).toBe(serial);
  }
  expect(new Set(issued.map((each) => each.serial)).size).toBe(50);
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
