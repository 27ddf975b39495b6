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
}

interface Loaded {
  readonly chainPem: string;
  readonly keyPem: string;
  readonly leaf: X509Certificate;
  readonly credential: TlsCredential;
}

interface Kept {
  /** null: there is none that can be shown. */
  loaded: Loaded | null;
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
      const kept = this.#kept.get(key) ?? { loaded: null, told: "" };
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

  /** The first whose names fit, else the first that there is; null: none can be shown. */
  credentialFor(serverName: string, all: readonly CertificateFiles[]): TlsCredential | null {
    let first: TlsCredential | null = null;
    for (const files of all) {
      const loaded = this.#kept.get(keyOf(files))?.loaded ?? null;
      if (loaded === null) continue;
      if (serverName !== "" && loaded.leaf.checkHost(serverName) !== undefined) return loaded.credential;
      first ??= loaded.credential;
    }
    return first;
  }

  /** Another of them has that name, and the one that a client was shown has not: the client should come again, and see that one. */
  isOfAnother(host: string, shown: TlsCredential, all: readonly CertificateFiles[]): boolean {
    if (all.length < 2 || this.#leaves.get(shown)?.checkHost(host) !== undefined) return false;
    return all.some((files) => this.#kept.get(keyOf(files))?.loaded?.leaf.checkHost(host) !== undefined);
  }

  #lookLater(all: readonly CertificateFiles[]): void {
    this.#timer = this.options.clock.after(
      limits.certificateLookMs,
      () => {
        for (const files of all) this.#read(files, this.#kept.get(keyOf(files)) as Kept);
        this.#lookLater(all);
      },
      true,
    );
  }

  #read({ certificate, key }: CertificateFiles, kept: Kept): void {
    const { log } = this.options;
    let problem = "";
    try {
      const [chainPem, keyPem] = [this.#text(certificate), this.#text(key)];
      if (chainPem === kept.loaded?.chainPem && keyPem === kept.loaded.keyPem) return;
      const leaf = new X509Certificate(chainPem);
      if (!leaf.checkPrivateKey(createPrivateKey(keyPem)))
        throw new Error(`the key in ${key} is not the one of that certificate`);
      if (kept.loaded !== null) log(`gateway: ${certificate} was replaced, and is shown from now on`);
      const credential = { chainPem, keyPem };
      this.#leaves.set(credential, leaf);
      kept.loaded = { chainPem, keyPem, leaf, credential };
    } catch (error) {
      const goesOn = kept.loaded === null ? "" : "; the one from before is shown still";
      problem = `gateway: cannot use ${certificate}: ${(error as Error).message}${goesOn}`;
    }
    if (problem !== "" && problem !== kept.told) log(problem);
    kept.told = problem;
  }

  #text(path: string): string {
    const bytes = this.options.files.readSync(path);
    if (bytes === null) throw new Error(`${path} is not there`);
    if (bytes.length > limits.certificateFileBytesMax) throw new Error(`${path} is too long`);
    return new TextDecoder().decode(bytes);
  }
}

function keyOf({ certificate, key }: CertificateFiles): string {
  return JSON.stringify([certificate, key]);
}
