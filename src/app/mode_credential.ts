/** The credentials of the control plane's own modes and of operators: one file each, key and certificate together. */
import type { Clock, Files, TlsCredential } from "../../runtime/contract.ts";
import type { Address } from "../base/socket_address.ts";
import { UserError } from "../base/user_error.ts";
import { readJson, writeSecret } from "../identity/credential_store.ts";
import { isKeyOf } from "../identity/keys.ts";
import type { ControlIdentity } from "../api/control.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { families } from "../telemetry/families.ts";

export interface ModeCredential {
  readonly format: 1;
  readonly spiffeId: string;
  readonly chainPem: string;
  readonly keyPem: string;
  readonly issuedMs: number;
  readonly notAfterMs: number;
  readonly rootsPem: readonly string[];
  /** Where the controller may be, for operators, as preferred. */
  readonly controllers: readonly Address[];
  /** What an older version wrote instead. */
  readonly controller?: Address;
}

/** Read again from disk when it may have been renewed there by the controller's process. */
export class ModeCredentialFile {
  #current: ModeCredential | null = null;
  #tls: TlsCredential | null = null;

  constructor(
    readonly files: Files,
    readonly path: string,
  ) {}

  get current(): ModeCredential | null {
    return this.#current;
  }

  async load(): Promise<ModeCredential | null> {
    const read = await readJson<unknown>(this.files, this.path);
    if (read !== null && !isModeCredential(read))
      throw new UserError(`Cannot use ${this.path}: it is no credential that heddle wrote`, "Restore it");
    if (read !== null && read.chainPem !== this.#current?.chainPem)
      this.#tls = { chainPem: read.chainPem, keyPem: read.keyPem };
    if (read !== null) this.#current = read;
    return this.#current;
  }

  /** Follows changes of the file, every now and then. */
  follow(clock: Clock, everyMs: number): { close(): void } {
    let open = true;
    const look = (): void => {
      clock.after(
        everyMs,
        () => {
          if (!open) return;
          this.load().catch(() => undefined);
          look();
        },
        true,
      );
    };
    look();
    return {
      close: () => {
        open = false;
      },
    };
  }

  identity(): ControlIdentity {
    return { credential: this.#tls, rootsPem: this.#current?.rootsPem ?? [] };
  }
}

function isModeCredential(value: unknown): value is ModeCredential {
  const { spiffeId, chainPem, keyPem, issuedMs, notAfterMs, rootsPem } = value as Partial<ModeCredential>;
  return (
    typeof spiffeId === "string" &&
    typeof issuedMs === "number" &&
    typeof notAfterMs === "number" &&
    Array.isArray(rootsPem) &&
    isKeyOf(keyPem, chainPem)
  );
}

export async function writeModeCredential(
  files: Files,
  path: string,
  credential: ModeCredential,
): Promise<void> {
  await writeSecret(files, path, credential);
}

/** Seconds until a mode's own certificate ends, read when somebody looks. */
export function exposeCredential(metrics: Metrics, clock: Clock, file: ModeCredentialFile): void {
  const expiry = metrics.gauge(families.identityExpirySeconds);
  metrics.collect(() => {
    const { current } = file;
    if (current !== null) expiry(current.spiffeId).set((current.notAfterMs - clock.wallMs()) / 1000);
  });
}
