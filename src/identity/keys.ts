/** ECDSA P-256 keys as text, and proofs that somebody holds one. */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
  verify,
  X509Certificate,
  createHash,
} from "node:crypto";

const encoder = new TextEncoder();

export interface KeyPair {
  /** PKCS #8, PEM. */
  readonly privatePem: string;
  /** SubjectPublicKeyInfo, base64 of DER. */
  readonly publicKey: string;
}

export function generateKey(): KeyPair {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return {
    privatePem: privateKey.export({ type: "pkcs8", format: "pem" }) as string,
    publicKey: (publicKey.export({ type: "spki", format: "der" }) as Uint8Array).toBase64(),
  };
}

/** The pair of a private key, PKCS #8 in PEM. */
export function keyOf(privatePem: string): KeyPair {
  const publicKey = createPublicKey(privatePem).export({ type: "spki", format: "der" }) as Uint8Array;
  return { privatePem, publicKey: publicKey.toBase64() };
}

/** Signature over the text (ECDSA, SHA-256, DER), base64. */
export function prove(privatePem: string, text: string): string {
  return sign("sha256", encoder.encode(text), createPrivateKey(privatePem)).toBase64();
}

/** Whether the holder of this P-256 key signed the text. False for anything malformed. */
export function isProof(publicKey: string, text: string, signature: string): boolean {
  try {
    const key = createPublicKey({ key: publicKey, encoding: "base64", type: "spki", format: "der" });
    if (key.asymmetricKeyType !== "ec" || key.asymmetricKeyDetails?.namedCurve !== "prime256v1") return false;
    return verify("sha256", encoder.encode(text), key, Uint8Array.fromBase64(signature));
  } catch {
    return false;
  }
}

/** Whether the private key is that of the first certificate. False for anything malformed. */
export function isKeyOf(privatePem: unknown, chainPem: unknown): boolean {
  if (typeof privatePem !== "string" || typeof chainPem !== "string") return false;
  try {
    return new X509Certificate(chainPem).checkPrivateKey(createPrivateKey(privatePem));
  } catch {
    return false;
  }
}

/** Whether the issuer in a chain (its second certificate) was signed by this root. False for anything malformed. */
export function isBelow(chainPem: string, rootPem: string): boolean {
  const issuer = chainPem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g)?.[1];
  return isSignedBy(issuer, rootPem);
}

/** Whether a certificate was signed by this root. False for anything malformed. */
export function isSignedBy(issuer: string | undefined, rootPem: string): boolean {
  try {
    return issuer !== undefined && new X509Certificate(issuer).verify(new X509Certificate(rootPem).publicKey);
  } catch {
    return false;
  }
}

/** SubjectPublicKeyInfo of a certificate, base64 of DER. */
export function publicKeyOf(certificate: X509Certificate): string {
  return (certificate.publicKey.export({ type: "spki", format: "der" }) as Uint8Array).toBase64();
}

/** What a join token carries: SHA-256 of the root's public key, base64url. */
export function pinOf(certificatePem: string): string {
  const key = new X509Certificate(certificatePem).publicKey.export({ type: "spki", format: "der" });
  return createHash("sha256").update(key).digest("base64url");
}

/** When a certificate ends, in milliseconds since 1970. */
export function notAfterOf(certificatePem: string): number {
  return Date.parse(new X509Certificate(certificatePem).validTo);
}
