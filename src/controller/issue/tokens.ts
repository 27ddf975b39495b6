/**
 * Join tokens: `hd1.<id>.<secret>.<pin>`. Used once, short-lived, stored as a hash, bound to services. Whatever is wrong
 * with one, the answer is the same sentence.
 */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { registryKeys, type CommitRequest, type TokensAnswer } from "../../api/messages.ts";
import { Refusal } from "../../api/problem.ts";
import { limits } from "../../model/limits.ts";
import type { ServiceName } from "../../model/service.ts";
import type { StateStore } from "../state_store.ts";

type Operations = CommitRequest["operations"];

interface StoredToken {
  /** SHA-256 of the secret, hex. */
  readonly hash: string;
  /** null: whichever the machine asks for. */
  readonly services: readonly ServiceName[] | null;
  readonly expiresMs: number;
  /** The machine may be part of the control plane. */
  readonly control?: true;
  /** When and for which machine it was used; null: not yet. */
  readonly used: { readonly atMs: number; readonly node: string; readonly address: string } | null;
}

/** A token that is good, until somebody else spends it. */
export interface GoodToken {
  /** The machine may be part of the control plane. */
  readonly control: boolean;
  /** null: whichever the machine asks for. */
  readonly services: readonly ServiceName[] | null;
  /** What to commit with the join, so that it is used once. */
  spend(
    node: string,
    address: string,
  ): { readonly conditions: CommitRequest["conditions"]; readonly operations: Operations };
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
    control = false,
  ): Promise<{ token: string; expiresMs: number }> {
    const id = randomBytes(6).toString("hex");
    const secret = randomBytes(24).toString("base64url");
    const expiresMs = this.wallMs() + ttlMs;
    const stored: StoredToken = {
      ...{ hash: hashOf(secret).toString("hex"), services, expiresMs, used: null },
      ...(control ? { control } : {}),
    };
    const put = { do: "put", key: registryKeys.tokens + id, value: JSON.stringify(stored) } as const;
    await this.store.commit([{ key: put.key, modified: 0 }], [put, ...(await this.#forgotten())]);
    return { token: `hd1.${id}.${secret}.${pin}`, expiresMs };
  }

  /** What a presented token allows. */
  async read(text: string): Promise<GoodToken> {
    const [version, id = "", secret = ""] = text.split(".");
    const known = version === "hd1" && /^[0-9a-f]{12}$/.test(id);
    const entry = known ? await this.store.get(registryKeys.tokens + id) : null;
    const stored = entry === null ? null : (JSON.parse(entry.value) as StoredToken);
    const right = timingSafeEqual(hashOf(secret), Uint8Array.fromHex(stored?.hash ?? "00".repeat(32)));
    if (entry === null || stored === null || !right) throw tokenRefused();
    if (stored.used !== null || stored.expiresMs < this.wallMs()) throw tokenRefused();
    return {
      control: stored.control === true,
      services: stored.services,
      spend: (node, address) => {
        const used: StoredToken = { ...stored, used: { atMs: this.wallMs(), node, address } };
        return {
          conditions: [{ key: entry.key, modified: entry.modified }],
          operations: [{ do: "put", key: entry.key, value: JSON.stringify(used) }],
        };
      },
    };
  }

  /** Those of the last days, the newest last. */
  async list(): Promise<TokensAnswer> {
    const { entries } = await this.store.range(registryKeys.tokens);
    const tokens = entries.map(({ key, value }) => {
      const { services, expiresMs, used } = JSON.parse(value) as StoredToken;
      return { id: key.slice(registryKeys.tokens.length), services, expiresMs, used };
    });
    return { tokens: tokens.sort((a, b) => a.expiresMs - b.expiresMs) };
  }

  /** Takes one back that was not used yet. */
  async revoke(id: string): Promise<void> {
    const entry = /^[0-9a-f]{12}$/.test(id) ? await this.store.get(registryKeys.tokens + id) : null;
    if (entry === null)
      throw new Refusal(
        404,
        `There is no token ${id}`,
        "heddle token list shows them: the id is the word after hd1.",
      );
    const { used } = JSON.parse(entry.value) as StoredToken;
    if (used !== null)
      throw new Refusal(
        409,
        `The token ${id} was used by ${used.node}`,
        `To take back what it gave: heddle node remove ${used.node}`,
      );
    const unchanged = [{ key: entry.key, modified: entry.modified }];
    const { ok } = await this.store.commit(unchanged, [{ do: "delete", key: entry.key }]);
    if (!ok)
      throw new Refusal(409, `The token ${id} was used at this moment`, "heddle token list shows by whom");
  }

  /** Tokens that ended long ago. Those of the last days stay: they tell who joined from where. */
  async #forgotten(): Promise<Operations> {
    const { entries } = await this.store.range(registryKeys.tokens);
    const sinceMs = this.wallMs() - limits.joinTokenKeptMs;
    return entries
      .filter((entry) => (JSON.parse(entry.value) as StoredToken).expiresMs < sinceMs)
      .map((entry) => ({ do: "delete", key: entry.key }) as const);
  }
}

export function tokenRefused(): Refusal {
  return new Refusal(
    403,
    "This token is not valid: it was used, it ended, or it never was one",
    "Make a new one on the controller's machine: heddle token create --service NAME",
  );
}

function hashOf(secret: string): Buffer {
  return createHash("sha256").update(secret).digest();
}
