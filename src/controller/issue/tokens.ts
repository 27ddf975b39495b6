/**
 * Join tokens: `hd1.<id>.<secret>.<pin>`. Used once, short-lived, stored as a hash, bound to services. Whatever is wrong
 * with one, the answer is the same sentence.
 */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { registryKeys } from "../../api/messages.ts";
import { Refusal } from "../../api/problem.ts";
import type { ServiceName } from "../../model/service.ts";
import type { StateStore } from "../state_store.ts";

interface StoredToken {
  readonly hash: string;
  /** null: whichever the machine asks for. */
  readonly services: readonly ServiceName[] | null;
  readonly expiresMs: number;
  /** When and for which machine it was used; null: not yet. */
  readonly used: { readonly atMs: number; readonly node: string; readonly address: string } | null;
}

export interface TokenUse {
  /** null: whichever the machine asks for. */
  readonly services: readonly ServiceName[] | null;
  /** Spends it: fails when somebody else was faster. The operations happen in the same revision or not at all. */
  spend(
    node: string,
    address: string,
    operations: readonly { readonly do: "put"; readonly key: string; readonly value: string }[],
  ): Promise<void>;
}

export class Tokens {
  constructor(
    readonly store: StateStore,
    readonly wallMs: () => number,
  ) {}

  async create(
    services: readonly ServiceName[] | null,
    ttlMs: number,
    pin: string,
  ): Promise<{ token: string; expiresMs: number }> {
    const id = randomBytes(6).toString("hex");
    const secret = randomBytes(24).toString("base64url");
    const expiresMs = this.wallMs() + ttlMs;
    const stored: StoredToken = { hash: hashOf(secret), services, expiresMs, used: null };
    await this.store.commit(
      [],
      [{ do: "put", key: registryKeys.tokens + id, value: JSON.stringify(stored) }],
    );
    return { token: `hd1.${id}.${secret}.${pin}`, expiresMs };
  }

  /** What a presented token allows. */
  async redeem(text: string): Promise<TokenUse> {
    const [version, id = "", secret = ""] = text.split(".");
    const valid = version === "hd1" && /^[0-9a-f]{12}$/.test(id);
    const entry = valid ? await this.store.get(registryKeys.tokens + id) : null;
    const stored = entry === null ? null : (JSON.parse(entry.value) as StoredToken);
    const right = sameHash(hashOf(secret), stored?.hash ?? hashOf("nothing"));
    if (
      entry === null ||
      stored === null ||
      !right ||
      stored.used !== null ||
      stored.expiresMs < this.wallMs()
    )
      throw refused();
    return {
      services: stored.services,
      spend: async (node, address, operations) => {
        const used: StoredToken = { ...stored, used: { atMs: this.wallMs(), node, address } };
        const put = { do: "put", key: entry.key, value: JSON.stringify(used) } as const;
        const result = await this.store.commit(
          [{ key: entry.key, modified: entry.modified }],
          [put, ...operations],
        );
        if (!result.ok) throw refused();
      },
    };
  }
}

function refused(): Refusal {
  return new Refusal(
    403,
    "This token is not valid: it was used, it ended, or it never was one",
    "Make a new one on the controller's machine: heddle token create --service NAME",
  );
}

function hashOf(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}

function sameHash(a: string, b: string): boolean {
  return timingSafeEqual(Buffer.from(a), Buffer.from(b));
}

/** Failures per source address in the last minute; more than the limit are refused unseen. */
export class FailureGuard {
  readonly #failures = new Map<string, number[]>();

  constructor(
    readonly perMinute: number,
    readonly wallMs: () => number,
  ) {}

  check(address: string): void {
    if (this.#recent(address).length >= this.perMinute)
      throw new Refusal(429, "There were too many failed attempts from this address; try again in a minute");
  }

  failed(address: string): void {
    if (this.#failures.size > 10_000) this.#failures.clear();
    this.#failures.set(address, [...this.#recent(address), this.wallMs()]);
  }

  #recent(address: string): number[] {
    return (this.#failures.get(address) ?? []).filter((at) => at > this.wallMs() - 60_000);
  }
}
