/** Certificates for tests: a root that issues what a test asks for, right or wrong. P-256 throughout. */
import "reflect-metadata";
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";
import type { TlsCredential } from "../../runtime/contract.ts";
import { until } from "./sockets.ts";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const hourMs = 3_600_000;

export interface IssueOptions {
  /** One URI name, or several, or none. */
  readonly uri?: string | readonly string[];
  /** DNS names beside them. */
  readonly dns?: readonly string[];
  /** IP addresses beside them. */
  readonly ip?: readonly string[];
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  /** True issues a certificate that may sign others: what is wrong in a leaf. */
  readonly ca?: boolean;
  /** Key usage of a leaf; `digitalSignature` when absent. */
  readonly usage?: readonly (keyof typeof KeyUsageFlags)[];
  /** Extended key usages; both sides of TLS when absent. */
  readonly usages?: readonly ("client" | "server")[];
  /** Certificates sent after the leaf that nobody needs. */
  readonly extraChainPem?: readonly string[];
}

export interface TestAuthority {
  readonly rootPem: string;
  issue(options?: IssueOptions): Promise<TlsCredential>;
  /** An authority below this one; chains of what it issues carry its certificate. */
  intermediate(): Promise<TestAuthority>;
  /** A holder of a leaf that signs with it all the same. */
  usurper(options?: IssueOptions): Promise<TestAuthority>;
}

async function keyPair(): Promise<CryptoKeyPair> {
  return await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
}

async function keyPemOf(key: CryptoKey): Promise<string> {
  const der = Buffer.from(await crypto.subtle.exportKey("pkcs8", key)).toString("base64");
  return `-----BEGIN PRIVATE KEY-----\n${der.replace(/.{64}(?=.)/g, "$&\n")}\n-----END PRIVATE KEY-----\n`;
}

function serialNumber(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[0] = 0x40 | ((bytes[0] ?? 0) & 0x3f);
  return Buffer.from(bytes).toString("hex");
}

function validity(options: IssueOptions): { notBefore: Date; notAfter: Date } {
  const now = Date.now();
  return {
    notBefore: options.notBefore ?? new Date(now - hourMs),
    notAfter: options.notAfter ?? new Date(now + 24 * hourMs),
  };
}

const caExtensions = [
  new BasicConstraintsExtension(true, undefined, true),
  new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
];

function leafExtensions(options: IssueOptions): X509Extensions {
  const uris = options.uri === undefined ? [] : typeof options.uri === "string" ? [options.uri] : options.uri;
  const names = [
    ...uris.map((value) => ({ type: "url" as const, value })),
    ...(options.dns ?? []).map((value) => ({ type: "dns" as const, value })),
    ...(options.ip ?? []).map((value) => ({ type: "ip" as const, value })),
  ];
  const usages = (options.usages ?? ["client", "server"]).map((usage) =>
    usage === "client" ? ExtendedKeyUsage.clientAuth : ExtendedKeyUsage.serverAuth,
  );
  return [
    ...(options.ca === true
      ? [
          new BasicConstraintsExtension(true, undefined, true),
          new KeyUsagesExtension(KeyUsageFlags.digitalSignature | KeyUsageFlags.keyCertSign, true),
        ]
      : [
          new BasicConstraintsExtension(false, undefined, true),
          new KeyUsagesExtension(
            (options.usage ?? ["digitalSignature"]).reduce((bits, each) => bits | KeyUsageFlags[each], 0),
            true,
          ),
        ]),
    new ExtendedKeyUsageExtension(usages),
    ...(names.length === 0 ? [] : [new SubjectAlternativeNameExtension(names, true)]),
  ];
}

type X509Extensions = NonNullable<Parameters<typeof X509CertificateGenerator.create>[0]["extensions"]>;

function authorityOf(name: string, keys: CryptoKeyPair, rootPem: string, above: string): TestAuthority {
  const sign = async (subject: string, key: CryptoKey, options: IssueOptions, extensions: X509Extensions) => {
    const certificate = await X509CertificateGenerator.create({
      serialNumber: serialNumber(),
      subject,
      issuer: name,
      ...validity(options),
      publicKey: key,
      signingKey: keys.privateKey,
      signingAlgorithm: algorithm,
      extensions,
    });
    return `${certificate.toString("pem")}\n`;
  };
  const under = async (role: string, options: IssueOptions, extensions: X509Extensions) => {
    const below = await keyPair();
    const subject = `CN=test ${role} ${serialNumber()}`;
    const pem = await sign(subject, below.publicKey, options, extensions);
    return authorityOf(subject, below, rootPem, `${pem}${above}`);
  };
  return {
    rootPem,
    async issue(options = {}) {
      const leaf = await keyPair();
      const pem = await sign("CN=test leaf", leaf.publicKey, options, leafExtensions(options));
      const chainPem = [pem, above, ...(options.extraChainPem ?? [])].join("");
      return { chainPem, keyPem: await keyPemOf(leaf.privateKey) };
    },
    intermediate: () => under("intermediate", {}, caExtensions),
    usurper: (options = {}) => under("usurper", options, leafExtensions(options)),
  };
}

/** A root of its own that nobody else trusts. */
export async function makeTestAuthority(
  options: Pick<IssueOptions, "notBefore" | "notAfter"> = {},
): Promise<TestAuthority> {
  const keys = await keyPair();
  const name = `CN=test root ${serialNumber()}`;
  const root = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name,
    ...validity(options),
    keys,
    signingAlgorithm: algorithm,
    extensions: caExtensions,
  });
  return authorityOf(name, keys, `${root.toString("pem")}\n`, "");
}

/**
 * What `begin` does before the certificates end that it makes; it is told when. On a machine so busy that they ended meanwhile it
 * begins again, with longer ones. Resolves when they have ended.
 */
export async function outlived<T>(begin: (notAfter: Date) => Promise<T>): Promise<T> {
  for (let lifeMs = 1_000; ; lifeMs *= 2) {
    const notAfter = Math.ceil(Date.now() / 1000) * 1000 + lifeMs;
    const over = (): boolean => Date.now() >= notAfter;
    const begun = await begin(new Date(notAfter)).catch((error: unknown) => {
      if (!over()) throw error;
    });
    if (begun === undefined || over()) continue;
    await until(() => Date.now() > notAfter + 100, "the certificates have ended");
    return begun;
  }
}
