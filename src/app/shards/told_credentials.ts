/** Identity as a shard has it: what its keeper told it last, unless it has ended. */
import type { Clock, TlsCredential } from "../../../runtime/contract.ts";
import type { Trust } from "../../identity/verify_peer.ts";
import type { Credentials } from "../../proxy/state/credentials.ts";
import type { ShardCredentials } from "./messages.ts";

interface Told {
  readonly notAfterMs: number;
  readonly tls: TlsCredential;
}

export class ToldCredentials implements Credentials {
  #services: ReadonlyMap<string, Told> = new Map();
  #trust: Trust;
  #trusted = "";

  constructor(
    readonly trustDomain: string,
    readonly clock: Pick<Clock, "wallMs">,
  ) {
    this.#trust = { trustDomain, rootsPem: [], denied: new Set() };
  }

  /** What is as it was stays the same object, by which the host knows it. */
  take({ services, rootsPem, denied }: ShardCredentials): void {
    const before = this.#services;
    this.#services = new Map(
      Object.entries(services).map(([key, told]) => {
        const known = before.get(key);
        return [key, known !== undefined && isSame(known, told) ? known : told];
      }),
    );
    const trusted = JSON.stringify([rootsPem, denied]);
    if (trusted === this.#trusted) return;
    this.#trusted = trusted;
    this.#trust = { trustDomain: this.trustDomain, rootsPem, denied: new Set(denied) };
  }

  of(key: string): TlsCredential | null {
    const told = this.#services.get(key);
    return told === undefined || told.notAfterMs < this.clock.wallMs() ? null : told.tls;
  }

  trust(): Trust {
    return this.#trust;
  }
}

function isSame({ notAfterMs, tls }: Told, other: Told): boolean {
  return (
    notAfterMs === other.notAfterMs && tls.chainPem === other.tls.chainPem && tls.keyPem === other.tls.keyPem
  );
}
