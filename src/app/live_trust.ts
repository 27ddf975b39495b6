/** Whom this machine may be, and whom it trusts, while both are renewed on disk. */
import type { Clock } from "../../runtime/contract.ts";
import type { CredentialStore } from "../identity/credential_store.ts";
import type { Trust } from "../identity/verify_peer.ts";
import type { Credentials } from "../proxy/state/credentials.ts";

/** Identity as the data plane sees it: what is on disk, unless it has ended. */
export class LiveTrust implements Credentials {
  denied: ReadonlySet<string> = new Set();
  #trust: Trust | null = null;

  constructor(
    readonly store: CredentialStore,
    readonly trustDomain: string,
    readonly clock: Clock,
  ) {}

  of(key: string) {
    const credential = this.store.service(key);
    return credential === null || credential.notAfterMs < this.clock.wallMs() ? null : credential.tls;
  }

  trust(): Trust {
    const rootsPem = this.store.bundle?.rootsPem ?? [];
    const { denied, trustDomain } = this;
    if (this.#trust === null || this.#trust.rootsPem !== rootsPem || this.#trust.denied !== denied)
      this.#trust = { trustDomain, rootsPem, denied };
    return this.#trust;
  }
}
