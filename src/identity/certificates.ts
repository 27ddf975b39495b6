/**
 * Makes X.509 certificates of the three profiles heddle uses (X.509-SVID specification, sections 2 to 4): root,
 * intermediate, leaf. The library is loaded when the first one is made.
 */
import { webcrypto as crypto } from "node:crypto";
import { limits } from "../model/limits.ts";

/** A certificate and the key that signs with it, as they lie on disk. */
export interface Signer {
  readonly certificatePem: string;
  readonly keyPem: string;
}

export interface LeafRequest {
  readonly spiffeId: string;
  /** SubjectPublicKeyInfo of a P-256 key, base64 of DER. */
  readonly publicKey: string;
  readonly ttlMs: number;
}

export interface Leaf {
  readonly pem: string;
  /** Lower-case hex, as peers read it. */
  readonly serial: string;
  readonly notAfterMs: number;
}

/** A signer that is ready to sign leaves. */
export interface LeafSigner {
  readonly certificatePem: string;
  readonly notAfterMs: number;
  /** Ends with its issuer at the latest. */
  leaf(request: LeafRequest, nowMs: number): Promise<Leaf>;
}

export interface Issuer {
  root(trustDomain: string, nowMs: number, ttlMs: number): Promise<Signer>;
  intermediate(issuer: Signer, trustDomain: string, nowMs: number, ttlMs: number): Promise<Signer>;
  /** The same for a key that somebody else has; the certificate, PEM. `publicKey`: SubjectPublicKeyInfo of P-256, base64 of DER. */
  intermediateFor(
    publicKey: string,
    issuer: Signer,
    trustDomain: string,
    nowMs: number,
    ttlMs: number,
  ): Promise<string>;
  signer(intermediate: Signer): Promise<LeafSigner>;
}

const curve = { name: "ECDSA", namedCurve: "P-256" } as const;
const signing = { name: "ECDSA", hash: "SHA-256" } as const;

export async function loadIssuer(): Promise<Issuer> {
  await import("reflect-metadata");
  const x509 = await import("@peculiar/x509");
  const { X509Certificate, X509CertificateGenerator, KeyUsageFlags } = x509;

  const authorityExtensions = authorityExtensionsOf(x509);
  const intermediateOf = intermediatesOf(x509, authorityExtensions);

  return {
    async root(trustDomain, nowMs, ttlMs) {
      const keys = await generateKeys();
      const certificate = await X509CertificateGenerator.createSelfSigned({
        serialNumber: makeSerial(),
        name: `CN=heddle root, O=${trustDomain}`,
        ...validity(nowMs, ttlMs, Number.POSITIVE_INFINITY),
        keys,
        signingAlgorithm: signing,
        extensions: await authorityExtensions(trustDomain, keys.publicKey, undefined),
      });
      return { certificatePem: certificate.toString("pem"), keyPem: await pemOf(keys.privateKey) };
    },

    async intermediate(issuer, trustDomain, nowMs, ttlMs) {
      const keys = await generateKeys();
      const certificatePem = await intermediateOf(keys.publicKey, issuer, trustDomain, { nowMs, ttlMs });
      return { certificatePem, keyPem: await pemOf(keys.privateKey) };
    },

    async intermediateFor(publicKey, issuer, trustDomain, nowMs, ttlMs) {
      return intermediateOf(await importPublic(publicKey), issuer, trustDomain, { nowMs, ttlMs });
    },

    async signer(intermediate) {
      const parent = new X509Certificate(intermediate.certificatePem);
      const notAfterMs = parent.notAfter.getTime();
      const signingKey = await importPrivate(intermediate.keyPem);
      const profile = [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension(
          [x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth],
          false,
        ),
        await x509.AuthorityKeyIdentifierExtension.create(parent.publicKey),
      ];
      return {
        certificatePem: intermediate.certificatePem,
        notAfterMs,
        async leaf({ spiffeId, publicKey, ttlMs }, nowMs) {
          const serial = makeSerial();
          const times = validity(nowMs, ttlMs, notAfterMs);
          const certificate = await X509CertificateGenerator.create({
            serialNumber: serial,
            subject: "",
            issuer: parent.subject,
            ...times,
            publicKey: await importPublic(publicKey),
            signingKey,
            signingAlgorithm: signing,
            // Critical because it is the only name: the subject is empty.
            extensions: [
              ...profile,
              new x509.SubjectAlternativeNameExtension([{ type: "url", value: spiffeId }], true),
            ],
          });
          return { pem: certificate.toString("pem"), serial, notAfterMs: times.notAfter.getTime() };
        },
      };
    },
  };
}

type Library = typeof import("@peculiar/x509");

function authorityExtensionsOf(x509: Library) {
  return async (trustDomain: string, publicKey: CryptoKey, pathLength: number | undefined) => [
    new x509.BasicConstraintsExtension(true, pathLength, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    new x509.SubjectAlternativeNameExtension([{ type: "url", value: `spiffe://${trustDomain}` }], false),
    await x509.SubjectKeyIdentifierExtension.create(publicKey),
  ];
}

function intermediatesOf(x509: Library, authorityExtensions: ReturnType<typeof authorityExtensionsOf>) {
  return async (
    publicKey: CryptoKey,
    issuer: Signer,
    trustDomain: string,
    times: { readonly nowMs: number; readonly ttlMs: number },
  ): Promise<string> => {
    const parent = new x509.X509Certificate(issuer.certificatePem);
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: makeSerial(),
      subject: `CN=heddle intermediate, O=${trustDomain}`,
      issuer: parent.subject,
      ...validity(times.nowMs, times.ttlMs, parent.notAfter.getTime()),
      publicKey,
      signingKey: await importPrivate(issuer.keyPem),
      signingAlgorithm: signing,
      extensions: [
        ...(await authorityExtensions(trustDomain, publicKey, 0)),
        await x509.AuthorityKeyIdentifierExtension.create(parent.publicKey),
      ],
    });
    return certificate.toString("pem");
  };
}

/** X.509 times have whole seconds. */
function validity(nowMs: number, ttlMs: number, notLaterMs: number): { notBefore: Date; notAfter: Date } {
  const wholeSeconds = (ms: number): Date => new Date(Math.floor(ms / 1000) * 1000);
  return {
    notBefore: wholeSeconds(nowMs - limits.leafBackdateMs),
    notAfter: wholeSeconds(Math.min(nowMs + ttlMs, notLaterMs)),
  };
}

/** 16 random bytes; the first bits are set so that it is positive and none of them is dropped. */
function makeSerial(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[0] = ((bytes[0] as number) & 0x3f) | 0x40;
  return bytes.toHex();
}

function generateKeys(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey(curve, true, ["sign", "verify"]);
}

function importPrivate(pem: string): Promise<CryptoKey> {
  const base64 = pem.replaceAll(/-----[A-Z ]+-----|\s/g, "");
  return crypto.subtle.importKey("pkcs8", Uint8Array.fromBase64(base64), curve, false, ["sign"]);
}

/** Rejects every key that is not of P-256. */
function importPublic(base64: string): Promise<CryptoKey> {
  return crypto.subtle.importKey("spki", Uint8Array.fromBase64(base64), curve, true, ["verify"]);
}

async function pemOf(key: CryptoKey): Promise<string> {
  const base64 = new Uint8Array(await crypto.subtle.exportKey("pkcs8", key)).toBase64();
  return `-----BEGIN PRIVATE KEY-----\n${base64.replaceAll(/(.{64})/g, "$1\n").trim()}\n-----END PRIVATE KEY-----\n`;
}
