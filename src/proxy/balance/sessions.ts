/**
 * Session persistence (GEP-1619): a token in a cookie or header names the instance that answered a client first, and later requests
 * go there while it is there and well. The token is sealed (AES-256-GCM) with a key that the proxies of all callers of the service
 * have: it shows nothing of the instance, nobody else can make one, and one of another service is worth nothing.
 */
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { limits } from "../../model/limits.ts";
import type { SessionPersistence } from "../../model/traffic.ts";
import { cookiesOf } from "../../wire/cookies.ts";
import type { FieldEdits, Fields } from "../../wire/fields.ts";

/** What tokens are of: those of another scope are worth nothing. */
export interface SessionScope {
  readonly service: { readonly key: string; readonly name: string };
  /** `<route>/<rule>` where that rule says it; null: the service. */
  readonly rule: string | null;
}

/** 32 bytes each. */
export interface SessionKeys {
  readonly current: Uint8Array;
  /** Those of before, each with the second since 1970 in which another one took its place. */
  readonly before: readonly { readonly key: Uint8Array; readonly replacedS: number }[];
}

/** What a token says. */
export interface Session {
  /** Instance id. */
  readonly endpoint: string;
  /** It is sealed with a key of before. */
  readonly old?: true;
  /** Since 1970, in seconds: its first answer, and the last one that told the client a token. */
  readonly startedS: number;
  readonly seenS: number;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const tokenForm = { alphabet: "base64url", omitPadding: true } as const;
const sealing = "aes-256-gcm";
const nonceBytes = 12;
const sealBytes = 16;
/** Times before the instance id. */
const timesBytes = 8;
/** A token that a client has used for a tenth of the idle timeout is given anew. */
const renewShare = 0.1;

export class Sessions {
  readonly #keys: SessionKeys;
  /** Bound to the token: one that was made for another service or name does not open. */
  readonly #scope: Uint8Array;
  readonly #name: string;

  constructor(
    readonly rules: Required<SessionPersistence>,
    { service, rule }: SessionScope,
    keys: SessionKeys,
  ) {
    this.#keys = keys;
    // Two rules of a service never share a session, so neither may their cookies be one.
    const own = rule === null ? "" : `-${rule.replace("/", "-")}`;
    const name = rules.sessionName ?? `heddle-${service.name}${own}`;
    this.#name = rules.type === "Header" ? name.toLowerCase() : name;
    this.#scope = encoder.encode(`${service.key} ${this.#name}${rule === null ? "" : ` ${rule}`}`);
  }

  /** The session that a request is of; null: of none, or of one that is over. */
  read(fields: Fields, nowS: number): Session | null {
    for (const token of this.#tokens(fields)) {
      const session = this.#open(token);
      if (session !== null && !this.#isOver(session, nowS)) return session;
    }
    return null;
  }

  /** What an answer of this instance says besides, so that the client comes back to it; null: it knows already. */
  tell(edits: FieldEdits, session: Session | null, endpoint: string, nowS: number): FieldEdits | null {
    const stays = session !== null && session.endpoint === endpoint;
    const startedS = stays ? session.startedS : nowS;
    if (stays && !this.#isStale(session, nowS)) return null;
    const token = this.#seal({ endpoint, startedS, seenS: nowS });
    if (this.rules.type === "Header") return { ...edits, set: [...edits.set, this.#name, token] };
    return { ...edits, add: [...edits.add, "set-cookie", this.#cookie(token, startedS, nowS)] };
  }

  #tokens(fields: Fields): readonly string[] {
    if (this.rules.type === "Cookie") return cookiesOf(fields, this.#name, limits.sessionTokensMax);
    const token = fields.get(this.#name);
    return token === null ? [] : [token];
  }

  #cookie(token: string, startedS: number, nowS: number): string {
    const { lifetimeType, absoluteTimeoutMs, path } = this.rules;
    const leftS = startedS + (absoluteTimeoutMs ?? 0) / 1_000 - nowS;
    const age = lifetimeType === "Permanent" ? `; Max-Age=${Math.max(1, Math.ceil(leftS))}` : "";
    return `${this.#name}=${token}; Path=${path}${age}; HttpOnly`;
  }

  #isOver({ startedS, seenS }: Session, nowS: number): boolean {
    const { absoluteTimeoutMs, idleTimeoutMs } = this.rules;
    if (absoluteTimeoutMs !== null && (nowS - startedS) * 1_000 >= absoluteTimeoutMs) return true;
    return idleTimeoutMs !== null && (nowS - seenS) * 1_000 >= idleTimeoutMs;
  }

  #isStale({ seenS, old }: Session, nowS: number): boolean {
    const { idleTimeoutMs } = this.rules;
    if (old === true) return true;
    return idleTimeoutMs !== null && (nowS - seenS) * 1_000 >= idleTimeoutMs * renewShare;
  }

  #seal({ endpoint, startedS, seenS }: Session): string {
    const id = encoder.encode(endpoint);
    const plain = new Uint8Array(timesBytes + id.length);
    const times = new DataView(plain.buffer);
    times.setUint32(0, startedS);
    times.setUint32(4, seenS);
    plain.set(id, timesBytes);
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv(sealing, this.#keys.current, nonce).setAAD(this.#scope);
    const sealed = new Uint8Array(nonceBytes + plain.length + sealBytes);
    sealed.set(nonce);
    sealed.set(cipher.update(plain), nonceBytes);
    cipher.final();
    sealed.set(cipher.getAuthTag(), nonceBytes + plain.length);
    return sealed.toBase64(tokenForm);
  }

  /** null for anything but what was sealed for this scope and name. */
  #open(token: string): Session | null {
    if (token.length > limits.sessionTokenLengthMax) return null;
    const session = this.#openWith(this.#keys.current, token);
    if (session !== null) return session;
    for (const { key, replacedS } of this.#keys.before) {
      const before = this.#openWith(key, token);
      // Whoever got hold of that key since makes no session that outlives those which began by then.
      if (before !== null && before.startedS <= replacedS + limits.sessionKeyGraceMs / 1_000)
        return { ...before, old: true };
    }
    return null;
  }

  #openWith(key: Uint8Array, token: string): Session | null {
    try {
      const sealed = Uint8Array.fromBase64(token, tokenForm);
      const end = sealed.length - sealBytes;
      if (end <= nonceBytes + timesBytes) return null;
      const nonce = sealed.subarray(0, nonceBytes);
      const opening = createDecipheriv(sealing, key, nonce, { authTagLength: sealBytes })
        .setAAD(this.#scope)
        .setAuthTag(sealed.subarray(end));
      const plain = Uint8Array.from(opening.update(sealed.subarray(nonceBytes, end)));
      // Throws unless all of it is as it was sealed: nothing is read before.
      opening.final();
      const times = new DataView(plain.buffer);
      const endpoint = decoder.decode(plain.subarray(timesBytes));
      return { endpoint, startedS: times.getUint32(0), seenS: times.getUint32(4) };
    } catch {
      return null;
    }
  }
}
