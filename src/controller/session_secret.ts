/**
 * The secret of which keys of sessions are made: the first apply makes it up, and the controller replaces it by another one once it
 * is old. The one before stays beside it until the next time, so that no client loses its session.
 */
import { randomBytes } from "node:crypto";
import type { Clock, Timer } from "../../runtime/contract.ts";
import { registryKeys } from "../api/messages.ts";
import { limits } from "../model/limits.ts";
import type { StateStore } from "./state_store.ts";

export const sessionSecretMark = `${registryKeys.meta}session-secret`;

/** As the registry holds it. */
export interface SessionSecret {
  /** 32 bytes, base64. */
  readonly secret: string;
  /** Since 1970; absent: made by a version that did not replace it. */
  readonly madeMs?: number;
  readonly before?: { readonly secret: string; readonly replacedMs: number };
}

/** `old`: the one whose place it takes; null: there was none. */
export function newSessionSecret(old: SessionSecret | null, nowMs: number) {
  const made: SessionSecret = {
    secret: randomBytes(32).toString("base64"),
    madeMs: nowMs,
    ...(old === null ? {} : { before: { secret: old.secret, replacedMs: nowMs } }),
  };
  return { do: "put", key: sessionSecretMark, value: JSON.stringify(made) } as const;
}

export interface SessionSecretKeeperOptions {
  /** As the registry has it, and at which revision. */
  readonly catalog: { readonly sessionSecret: SessionSecret | null; readonly sessionSecretAt: number };
  readonly store: Pick<StateStore, "commit">;
  readonly clock: Clock;
}

export class SessionSecretKeeper {
  #timer: Timer | null = null;

  constructor(readonly options: SessionSecretKeeperOptions) {
    this.#later();
  }

  close(): void {
    this.#timer?.cancel();
  }

  /** Of two controllers one replaces it: the other one's commit does not hold. What fails is tried with the next look. */
  async look(): Promise<void> {
    const { catalog, store, clock } = this.options;
    const { sessionSecret: old, sessionSecretAt: modified } = catalog;
    const nowMs = clock.wallMs();
    if (old === null || nowMs - (old.madeMs ?? 0) < limits.sessionSecretMs) return;
    await store
      .commit([{ key: sessionSecretMark, modified }], [newSessionSecret(old, nowMs)])
      .catch(() => {});
  }

  #later(): void {
    this.#timer = this.options.clock.after(
      limits.sessionSecretLookMs,
      () => {
        this.#later();
        void this.look();
      },
      true,
    );
  }
}
