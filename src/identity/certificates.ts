/**
 * Makes X.509 certificates of the three profiles heddle uses (X.509-SVID specification, sections 2 to 4): root,
 * intermediate, leaf. The library is loaded when the first one is made.
 */
import { notAfterOf } from "./keys.ts";
import { limits } from "../model/limits.ts";

interface Signer {
  readonly certificatePem: string;
  readonly keyPem: string;
}

export interface Issuer {
  root(trustDomain: string, nowMs: number, ttlMs: number): Promise<Signer>;
  intermediate(issuer: Signer, trustDomain: string, nowMs: number, ttlMs: number): Promise<Signer>;
  leaf(
    issuer: Signer,
    spiffeId: string,
    publicKey: string,
    nowMs: number,
    ttlMs: number,
  ): Promise<{ readonly pem: string; readonly notAfterMs: number }>;
  leftMs(certificatePem: string, nowMs: number): number;
}

const curve = { name: "ECDSA", namedCurve: "P-256" } as const;
const signing = { name: "ECDSA", hash: "SHA-256" } as const;

export async function loadIssuer(): Promise<Issuer> {
  await import("reflect-metadata");
  const x509 = await import("@peculiar/x509");
  const { subtle } = crypto;
  const { X509Certificate, X509CertificateGenerator, KeyUsageFlags } = x509;

  const validity = (
    nowMs: number,
    ttlMs: number,
    notLaterMs: number,
  ): { notBefore: Date; notAfter: Date } => ({
    notBefore: new Date(nowMs - limits.leafBackdateMs),
    notAfter: new Date(Math.min(nowMs + ttlMs, notLaterMs)),
  });
  const importPrivate = (pem: string): Promise<CryptoKey> =>
    subtle.importKey("pkcs8", derOf(pem), curve, false, ["sign"]);
  const importPublic = (base64: string): Promise<CryptoKey> =>
    subtle.importKey("spki", bytesOf(base64), curve, true, ["verify"]);

  const authorityExtensions = async (
    trustDomain: string,
    publicKey: CryptoKey,
    pathLength: number | undefined,
  ) => [
    new x509.BasicConstraintsExtension(true, pathLength, true),
    new x509.KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    new x509.SubjectAlternativeNameExtension([{ type: "url", value: `spiffe://${trustDomain}` }], false),
    await x509.SubjectKeyIdentifierExtension.create(publicKey),
  ];

  return {
    async root(trustDomain, nowMs, ttlMs) {
      const keys = await subtle.generateKey(curve, true, ["sign", "verify"]);
      const certificate = await X509CertificateGenerator.createSelfSigned({
        serialNumber: serial(),
        name: `CN=heddle root, O=${trustDomain}`,
        ...validity(nowMs, ttlMs, Number.POSITIVE_INFINITY),
        keys,
        signingAlgorithm: signing,
        extensions: await authorityExtensions(trustDomain, keys.publicKey, undefined),
      });
      return { certificatePem: certificate.toString("pem"), keyPem: await pemOf(keys.privateKey) };
    },
    async intermediate(issuer, trustDomain, nowMs, ttlMs) {
      const parent = new X509Certificate(issuer.certificatePem);
      const keys = await subtle.generateKey(curve, true, ["sign", "verify"]);
      const certificate = await X509CertificateGenerator.create({
        serialNumber: serial(),
        subject: `CN=heddle intermediate, O=${trustDomain}`,
        issuer: parent.subject,
        ...validity(nowMs, ttlMs, parent.notAfter.getTime()),
        publicKey: keys.publicKey,
        signingKey: await importPrivate(issuer.keyPem),
        signingAlgorithm: signing,
        extensions: [
          ...(await authorityExtensions(trustDomain, keys.publicKey, 0)),
          await x509.AuthorityKeyIdentifierExtension.create(parent.publicKey),
        ],
      });
      return { certificatePem: certificate.toString("pem"), keyPem: await pemOf(keys.privateKey) };
    },
    async leaf(issuer, spiffeId, publicKey, nowMs, ttlMs) {
      const parent = new X509Certificate(issuer.certificatePem);
      const holder = await importPublic(publicKey);
      const times = validity(nowMs, ttlMs, parent.notAfter.getTime());
      const certificate = await X509CertificateGenerator.create({
        serialNumber: serial(),
        subject: "",
        issuer: parent.subject,
        ...times,
        publicKey: holder,
        signingKey: await importPrivate(issuer.keyPem),
        signingAlgorithm: signing,
        extensions: [
          new x509.BasicConstraintsExtension(false, undefined, true),
          new x509.KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
          new x509.ExtendedKeyUsageExtension(
            [x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth],
            false,
          ),
          new x509.SubjectAlternativeNameExtension([{ type: "url", value: spiffeId }], true),
          await x509.AuthorityKeyIdentifierExtension.create(parent.publicKey),
        ],
      });
      // X.509 times have whole seconds.
      return {
        pem: certificate.toString("pem"),
        notAfterMs: Math.floor(times.notAfter.getTime() / 1000) * 1000,
      };
    },
    leftMs: (certificatePem, nowMs) => notAfterOf(certificatePem) - nowMs,
  };
}

/** 128 random bits, positive. */
function serial(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[0] = ((bytes[0] as number) & 0x7f) | 0x40;
  return Buffer.from(bytes).toString("hex");
}

function derOf(pem: string): Uint8Array<ArrayBuffer> {
  return bytesOf(pem.replaceAll(/-----[A-Z ]+-----|\s/g, ""));
}

function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(base64, "base64"));
}

async function pemOf(key: CryptoKey): Promise<string> {
  const base64 = Buffer.from(await crypto.subtle.exportKey("pkcs8", key)).toString("base64");
  return `-----BEGIN PRIVATE KEY-----\n${base64.replaceAll(/(.{64})/g, "$1\n").trim()}\n-----END PRIVATE KEY-----\n`;
}
