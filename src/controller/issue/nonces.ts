/**
 * Nonces that prove a signature to be fresh. Nothing is kept for a nonce that is given out, so that asking for many costs
 * nothing: its time is in it, under a MAC. Kept are those that were used, until their time is over.
 */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { Refusal } from "../../api/problem.ts";
import { limits } from "../../model/limits.ts";

const encoder = new TextEncoder();

export class Nonces {
  readonly #key = randomBytes(32);
  /** Used ones with the time they end, oldest first. */
  readonly #used = new Map<string, number>();

  constructor(readonly wallMs: () => number) {}

  make(): string {
    const content = `${(this.wallMs() + limits.joinNonceMs).toString(36)}.${randomBytes(16).toString("hex")}`;
    return `${content}.${this.#mac(content)}`;
  }

  /** Refuses a nonce that is not ours, is too old or was used. */
  check(nonce: string): void {
    if (this.#endsMs(nonce) < this.wallMs() || this.#used.has(nonce))
      throw new Refusal(403, "The nonce is not one of the last minute, or it was used");
  }

  /** Checks, and takes it: once the signatures over it were found right. */
  use(nonce: string): void {
    this.check(nonce);
    for (const [used, endsMs] of this.#used) {
      if (endsMs >= this.wallMs()) break;
      this.#used.delete(used);
    }
    this.#used.set(nonce, this.#endsMs(nonce));
  }

  /** 0 for what is no nonce of ours. */
  #endsMs(nonce: string): number {
    const at = nonce.lastIndexOf(".");
    const content = nonce.slice(0, Math.max(0, at));
    const given = encoder.encode(nonce.slice(at + 1));
    const right = encoder.encode(this.#mac(content));
    if (given.length !== right.length || !timingSafeEqual(given, right)) return 0;
    return Number.parseInt(content, 36);
  }

  #mac(content: string): string {
    return createHmac("sha256", this.#key).update(content).digest("hex");
  }
}
