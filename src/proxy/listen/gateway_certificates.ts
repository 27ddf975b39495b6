/**
 * Certificates of gateways, from files of this machine. They are read again when the files change; what cannot be read, or does not belong
 * together, is told, and what was good before goes on being shown.
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import type { Clock, Files, Timer, TlsCredential } from "../../../runtime/contract.ts";
import type { CertificateFiles } from "../../model/gateway.ts";
import { limits } from "../../model/limits.ts";

export interface CertificatesOptions {
  readonly files: Pick<Files, "readSync">;
  readonly clock: Clock;
  readonly log: (text: string) => void;
  /** After each look at all of them. */
  readonly looked?: () => void;
}

/** How one stands. */
export interface CertificateState {
  /** Path of its file. */
  readonly certificate: string;
  /** Why what lies there cannot be shown; null: it can. */
  readonly problem: string | null;
  /** When what is shown ends, milliseconds since 1970; null: there is none. */
  readonly notAfterMs: number | null;
}

interface Loaded {
  readonly chainPem: string;
  readonly keyPem: string;
  readonly leaf: X509Certificate;
  readonly credential: TlsCredential;
}

interface Kept {
  readonly certificate: string;
  /** null: there is none that can be shown. */
  loaded: Loaded | null;
  problem: string | null;
  /** What was told last; "" for nothing. */
  told: string;
}

export class GatewayCertificates {
  /** By the paths of both files. */
  readonly #kept = new Map<string, Kept>();
  /** Of what is shown, and of what was. */
  readonly #leaves = new WeakMap<TlsCredential, X509Certificate>();
  #timer: Timer | null = null;

  constructor(readonly options: CertificatesOptions) {}

  /** Those that are wanted from now on. */
  keep(wanted: readonly CertificateFiles[]): void {
    const keys = new Map(wanted.map((each) => [keyOf(each), each]));
    for (const key of this.#kept.keys()) if (!keys.has(key)) this.#kept.delete(key);
    for (const [key, files] of keys) {
      const kept = this.#kept.get(key) ?? {
        certificate: files.certificate,
        loaded: null,
        problem: null,
        told: "",
      };
      this.#kept.set(key, kept);
      this.#read(files, kept);
    }
    this.#timer?.cancel();
    this.#timer = null;
    if (keys.size > 0) this.#lookLater([...keys.values()]);
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  states(): CertificateState[] {
    return [...this.#kept.values()].map(({ certificate, problem, loaded }) => ({
      ...{ certificate, problem },
      notAfterMs: loaded === null ? null : loaded.leaf.validToDate.getTime(),
    }));
  }

  /** The first whose names fit, else the first that there is; null: none can be shown. */
  credentialFor(serverName: string, all: readonly CertificateFiles[]): TlsCredential | null {
    let first: TlsCredential | null = null;
    for (const files of all) {
      const loaded = this.#kept.get(keyOf(files))?.loaded ?? null;
      if (loaded === null) continue;
      if (isFor(loaded.leaf, serverName)) return loaded.credential;
      first ??= loaded.credential;
    }
    return first;
  }

  /** Another of them has that name, and the one that a client was shown has not: the client should come again, and see that one. */
  isOfAnother(host: string, shown: TlsCredential, all: readonly CertificateFiles[]): boolean {
    if (all.length < 2 || isFor(this.#leaves.get(shown), host)) return false;
    return all.some((files) => isFor(this.#kept.get(keyOf(files))?.loaded?.leaf, host));
  }

  #lookLater(all: readonly CertificateFiles[]): void {
    this.#timer = this.options.clock.after(
      limits.certificateLookMs,
      () => {
        for (const files of all) this.#read(files, this.#kept.get(keyOf(files)) as Kept);
        this.options.looked?.();
        this.#lookLater(all);
      },
      true,
    );
  }

  #read({ certificate, key }: CertificateFiles, kept: Kept): void {
    const { log } = this.options;
    let told = "";
    kept.problem = null;
    try {
      const [chainPem, keyPem] = [this.#text(certificate), this.#text(key)];
      if (chainPem === kept.loaded?.chainPem && keyPem === kept.loaded.keyPem) return void (kept.told = "");
      const leaf = read(certificate, "a certificate", () => new X509Certificate(chainPem));
      if (
        !leaf.checkPrivateKey(read(key, "a private key without a passphrase", () => createPrivateKey(keyPem)))
      )
        throw new Error(`the key in ${key} is not the one of that certificate`);
      if (kept.loaded !== null) log(`gateway: ${certificate} was replaced, and is shown from now on`);
      const credential = { chainPem, keyPem };
      this.#leaves.set(credential, leaf);
      kept.loaded = { chainPem, keyPem, leaf, credential };
    } catch (error) {
      const goesOn = kept.loaded === null ? "" : "; the one from before is shown still";
      kept.problem = (error as Error).message;
      told = `gateway: cannot use ${certificate}: ${kept.problem}${goesOn}`;
    }
    if (told !== "" && told !== kept.told) log(told);
    kept.told = told;
  }

  #text(path: string): string {
    const bytes = this.options.files.readSync(path);
    if (bytes === null) throw new Error(`${path} is not there`);
    if (bytes.length > limits.certificateFileBytesMax) throw new Error(`${path} is too long`);
    return new TextDecoder().decode(bytes);
  }
}

/** Of no name there is none: the library throws where it is asked for that. */
function isFor(leaf: X509Certificate | undefined, host: string): boolean {
  return leaf !== undefined && host !== "" && leaf.checkHost(host) !== undefined;
}

/** What the library says of a text that is none of its kind tells people nothing. */
function read<Found>(path: string, what: string, parse: () => Found): Found {
  try {
    return parse();
  } catch {
    throw new Error(`${path} is not ${what} in PEM`);
  }
}

function keyOf({ certificate, key }: CertificateFiles): string {
  return JSON.stringify([certificate, key]);
}
