/**
 * Signatures that policies ask about, checked by the crypto of the runtime: what a realm could do with numbers alone is slow. Key,
 * algorithm and signature are what a stranger says: a key of another kind than the algorithm wants is a problem, never a yes.
 */
import { constants, createHmac, createPublicKey, timingSafeEqual, verify, type KeyObject } from "node:crypto";
import { failure, problemOf, success, type Result } from "../base/result.ts";
import { fromBase64Url } from "./base64.ts";

/** Which key an algorithm takes, and how it signs (RFC 7518 section 3, RFC 8037 section 3.1). */
const algorithms = {
  HS256: { kty: "oct", hash: "sha256", padding: null },
  RS256: { kty: "RSA", hash: "sha256", padding: null },
  RS384: { kty: "RSA", hash: "sha384", padding: null },
  RS512: { kty: "RSA", hash: "sha512", padding: null },
  PS256: { kty: "RSA", hash: "sha256", padding: constants.RSA_PKCS1_PSS_PADDING },
  ES256: { kty: "EC", hash: "sha256", crv: "P-256", padding: null },
  ES384: { kty: "EC", hash: "sha384", crv: "P-384", padding: null },
  EdDSA: { kty: "OKP", hash: null, crv: "Ed25519", padding: null },
} as const;

export type Algorithm = keyof typeof algorithms;

export function isAlgorithm(value: unknown): value is Algorithm {
  return typeof value === "string" && Object.hasOwn(algorithms, value);
}

export interface SignatureClaim {
  readonly algorithm: Algorithm;
  /** A JSON Web Key (RFC 7517), unchecked. */
  readonly key: Readonly<Record<string, unknown>>;
  /** In base64url. */
  readonly signature: string;
  readonly data: string;
}

/** Whether it is right, or why nobody can tell. */
export type SignatureFinding = Result<boolean>;

/** Of a modulus: what takes longer to check is nobody's key. */
const rsaBytesMax = 1024;
/** RFC 7518 section 3.3. */
const rsaBytesMin = 256;
/** RFC 7518 section 3.2. */
const secretBytesMin = 32;

/** Never throws. */
export function checkSignature({ algorithm, key, signature, data }: SignatureClaim): SignatureFinding {
  const { kty } = algorithms[algorithm];
  if (key["kty"] !== kty) return failure(`${algorithm} takes a key of the type ${kty}`);
  if (key["alg"] !== undefined && key["alg"] !== algorithm)
    return failure(`The key is not meant for ${algorithm}`);
  const bytes = fromBase64Url(signature);
  if (bytes === null) return failure("The signature is not in base64url");
  const signed = new TextEncoder().encode(data);
  try {
    return algorithm === "HS256"
      ? checkSecret(key["k"], bytes, signed)
      : checkPublic(algorithm, key, bytes, signed);
  } catch (error) {
    return failure(`The key cannot be used: ${problemOf(error)}`);
  }
}

function checkSecret(k: unknown, signature: Uint8Array, data: Uint8Array): SignatureFinding {
  const secret = typeof k === "string" ? fromBase64Url(k) : null;
  if (secret === null || secret.length < secretBytesMin)
    return failure(`A secret of HS256 has ${secretBytesMin} bytes and more, in base64url`);
  const wanted = createHmac("sha256", secret).update(data).digest();
  return success(signature.length === wanted.length && timingSafeEqual(signature, wanted));
}

function checkPublic(
  algorithm: Exclude<Algorithm, "HS256">,
  key: SignatureClaim["key"],
  signature: Uint8Array,
  data: Uint8Array,
): SignatureFinding {
  const traits = algorithms[algorithm];
  const known = traits.kty === "RSA" ? rsaKey(key) : curveKey(traits, key);
  if (!known.ok) return known;
  const { padding } = traits;
  const padded = padding === null ? {} : { padding };
  const options = { key: known.value, dsaEncoding: "ieee-p1363" as const, ...padded };
  return success(verify(traits.hash, data, options, signature));
}

// Only what the type of a key consists of is handed on: nothing of what else the policy wrote is read.

function rsaKey(key: SignatureClaim["key"]): Result<KeyObject> {
  const [n, e] = [textIn(key, "n"), textIn(key, "e")];
  const length = fromBase64Url(n)?.length ?? 0;
  if (length < rsaBytesMin || length > rsaBytesMax)
    return failure(
      `The modulus of the key has ${length * 8} bits, not ${rsaBytesMin * 8} to ${rsaBytesMax * 8}`,
    );
  if ((fromBase64Url(e)?.length ?? 9) > 4) return failure("The exponent of the key is too long");
  return success(createPublicKey({ key: { kty: "RSA", n, e }, format: "jwk" }));
}

function curveKey(
  { kty, crv }: { readonly kty: "EC" | "OKP"; readonly crv: string },
  key: SignatureClaim["key"],
): Result<KeyObject> {
  if (key["crv"] !== crv) return failure(`The key is not on the curve ${crv}`);
  const x = textIn(key, "x");
  const point = kty === "EC" ? { x, y: textIn(key, "y") } : { x };
  return success(createPublicKey({ key: { kty, crv, ...point }, format: "jwk" }));
}

function textIn(key: SignatureClaim["key"], name: string): string {
  const value = key[name];
  return typeof value === "string" ? value : "";
}
