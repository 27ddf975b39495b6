/**
 * The credentials of this machine on disk: the node's, one per local service, and the trusted roots. A key and its
 * certificate are one file, replaced atomically, so whatever is read belongs together.
 */
import type { Files, TlsCredential } from "../../runtime/contract.ts";
import { UserError } from "../base/user_error.ts";
import { serviceKey, type ServiceName } from "../model/service.ts";
import type { TrustBundle } from "../model/snapshot.ts";
import { isKeyOf } from "./keys.ts";

export interface Credential {
  readonly spiffeId: string;
  readonly tls: TlsCredential;
  readonly issuedMs: number;
  readonly notAfterMs: number;
}

export class CredentialStore {
  #node: Credential | null = null;
  readonly #services = new Map<string, Credential>();
  #bundle: TrustBundle | null = null;

  constructor(
    readonly files: Files,
    readonly folder: string,
  ) {}

  /** Reads what there is. A file that is not what its name says is an error that names it. */
  async load(services: readonly ServiceName[]): Promise<void> {
    this.#node = await this.#read(`${this.folder}/node.json`, isCredential);
    this.#bundle = await this.#read(`${this.folder}/bundle.json`, isBundle);
    for (const service of services) {
      const credential = await this.#read(this.#path(serviceKey(service)), isCredential);
      if (credential !== null) this.#services.set(serviceKey(service), credential);
    }
  }

  /** What another process may have replaced. Returns whether the machine's certificate is another one. */
  async reload(services: readonly ServiceName[]): Promise<boolean> {
    const before = this.#node?.tls.chainPem;
    await this.load(services);
    return this.#node?.tls.chainPem !== before;
  }

  get node(): Credential | null {
    return this.#node;
  }

  get bundle(): TrustBundle | null {
    return this.#bundle;
  }

  /** Of a local service, by its key. */
  service(key: string): Credential | null {
    return this.#services.get(key) ?? null;
  }

  get services(): ReadonlyMap<string, Credential> {
    return this.#services;
  }

  async setNode(credential: Credential): Promise<void> {
    await writeSecret(this.files, `${this.folder}/node.json`, credential);
    this.#node = credential;
  }

  async setService(key: string, credential: Credential): Promise<void> {
    await writeSecret(this.files, this.#path(key), credential);
    this.#services.set(key, credential);
  }

  /** An older bundle never replaces a newer one, nor one that of another trust domain. Returns whether it changed. */
  async setBundle(bundle: TrustBundle): Promise<boolean> {
    if (this.#bundle !== null && this.#bundle.trustDomain !== bundle.trustDomain)
      throw new Error(
        `Cannot take the roots of ${bundle.trustDomain}: this machine belongs to ${this.#bundle.trustDomain}`,
      );
    if (this.#bundle !== null && this.#bundle.sequence >= bundle.sequence) return false;
    await writeSecret(this.files, `${this.folder}/bundle.json`, bundle);
    this.#bundle = bundle;
    return true;
  }

  #path(key: string): string {
    return `${this.folder}/service.${key}.json`;
  }

  async #read<T>(path: string, isRight: (value: unknown) => value is T): Promise<T | null> {
    const value = await readJson<unknown>(this.files, path);
    if (value === null || isRight(value)) return value;
    throw new UserError(
      `Cannot use ${path}: it is not what heddle writes there`,
      "Restore it; or remove it, and join again with a new token",
    );
  }
}

/** Also that key and certificate belong together. */
function isCredential(value: unknown): value is Credential {
  const { spiffeId, tls, issuedMs, notAfterMs } = (value ?? {}) as Partial<Credential>;
  return (
    typeof spiffeId === "string" &&
    typeof issuedMs === "number" &&
    typeof notAfterMs === "number" &&
    isKeyOf(tls?.keyPem, tls?.chainPem)
  );
}

function isBundle(value: unknown): value is TrustBundle {
  const { trustDomain, sequence, rootsPem } = (value ?? {}) as Partial<TrustBundle>;
  return (
    typeof trustDomain === "string" &&
    Number.isSafeInteger(sequence) &&
    Array.isArray(rootsPem) &&
    rootsPem.every((root) => typeof root === "string")
  );
}

export async function readJson<T>(files: Pick<Files, "read">, path: string): Promise<T | null> {
  const bytes = await files.read(path);
  if (bytes === null) return null;
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as T;
  } catch (error) {
    throw new UserError(`Cannot read ${path}: ${(error as Error).message}`, "Restore it");
  }
}

export async function writeSecret(files: Files, path: string, value: unknown): Promise<void> {
  await files.makeFolder(path.slice(0, path.lastIndexOf("/")), 0o700);
  await files.writeAtomic(path, `${JSON.stringify(value)}\n`, 0o600);
}
