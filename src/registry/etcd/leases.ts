/**
 * Leases of the store as leases of etcd. The number of one follows from its name, so that every registry over one etcd means
 * the same lease by it and none has to be looked up.
 */
import { createHash } from "node:crypto";
import { EtcdRefusal, grpcFailedPrecondition, grpcNotFound, type Gateway } from "./gateway.ts";
import { secondsLeft, type WireLease } from "./gateway_messages.ts";
import type { Mirror } from "./mirror.ts";

export class Leases {
  /** `prefix`: of the mesh; others over the same etcd have leases of the same names. */
  constructor(
    readonly gateway: Gateway,
    readonly prefix: string,
  ) {}

  /** From 1 to 2^63 - 1. */
  numberOf(id: string): string {
    const hash = createHash("sha256").update(`${this.prefix}\0${id}`).digest();
    return String((hash.readBigUInt64BE(0) >> 1n) | 1n);
  }

  /** Grants or renews. A lease that etcd has no more is granted again once its keys are seen to be gone (`gone`). */
  async renew(
    id: string,
    ttlMs: number,
    mirror: Mirror,
    gone: (lease: string) => Promise<void>,
  ): Promise<void> {
    const seconds = Math.max(1, Math.ceil(ttlMs / 1_000));
    const number = this.numberOf(id);
    const granted = await this.#keepAlive(number);
    if (granted >= seconds) return;
    // Its time is what it was granted with: a longer one takes another lease.
    if (granted > 0) await this.revoke(number);
    if (mirror.keysOn(number) > 0) await gone(number);
    await this.grant(number, seconds);
  }

  async grant(number: string, seconds: number): Promise<void> {
    try {
      await this.gateway.call("/v3/lease/grant", { ID: number, TTL: String(seconds) });
    } catch (error) {
      // Somebody else has granted it, or an earlier attempt has.
      if (!(error instanceof EtcdRefusal) || error.code !== grpcFailedPrecondition) throw error;
      if ((await this.#keepAlive(number)) === 0) throw error;
    }
  }

  async revoke(number: string): Promise<void> {
    try {
      await this.gateway.call("/v3/lease/revoke", { ID: number });
    } catch (error) {
      if (!(error instanceof EtcdRefusal) || error.code !== grpcNotFound) throw error;
    }
  }

  /** Seconds that it lives from now on; 0: etcd has no such lease, and says so by an answer without a time. */
  async #keepAlive(number: string): Promise<number> {
    const answer = (await this.gateway.call("/v3/lease/keepalive", { ID: number })) as WireLease;
    return secondsLeft(answer);
  }
}
