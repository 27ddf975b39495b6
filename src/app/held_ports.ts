/**
 * Ports that apps of this machine had on all addresses, as far as a virtual address wanted them: kept free for them while they are
 * away, over restarts and reboots, since the app would not get its port back otherwise. Forgotten some days after they were last seen.
 */
import type { Clock, Files } from "../../runtime/contract.ts";
import { OneAtATime } from "../base/one_at_a_time.ts";
import { readJson } from "../identity/credential_store.ts";
import { limits } from "../model/limits.ts";

export interface HeldPort {
  /** `nginx`; null: nobody could tell. */
  readonly holder: string | null;
  readonly seenMs: number;
}

export interface HeldPortsOptions {
  readonly files: Pick<Files, "read" | "writeAtomic">;
  readonly clock: Pick<Clock, "wallMs">;
  readonly path: string;
  readonly log: (text: string) => void;
}

export class HeldPorts {
  readonly #held = new Map<number, HeldPort>();
  readonly #saving = new OneAtATime(() => this.#save());

  constructor(readonly options: HeldPortsOptions) {}

  async load(): Promise<void> {
    const { files, path } = this.options;
    const kept = await readJson<unknown>(files, path).catch(() => null);
    if (typeof kept !== "object" || kept === null) return;
    for (const [port, held] of Object.entries(kept)) if (isHeld(held)) this.#held.set(Number(port), held);
  }

  /** null where nobody has it, and nobody had it lately. */
  of(port: number): HeldPort | null {
    const held = this.#held.get(port);
    if (held === undefined) return null;
    if (this.options.clock.wallMs() - held.seenMs <= limits.heldPortRestMs) return held;
    this.#held.delete(port);
    this.#saving.ask();
    return null;
  }

  /** It is held now. Written now and then: the time need not be exact. */
  seen(port: number, holder: string | null): void {
    const nowMs = this.options.clock.wallMs();
    const before = this.#held.get(port);
    // Its number is another one after each start.
    const known = holder?.replace(/ \(pid \d+\)$/, "") ?? before?.holder ?? null;
    if (before !== undefined && before.holder === known && nowMs - before.seenMs < limits.heldPortSaveMs)
      return;
    this.#held.set(port, { holder: known, seenMs: nowMs });
    this.#saving.ask();
  }

  async #save(): Promise<void> {
    const { files, path, log } = this.options;
    await files
      .writeAtomic(path, JSON.stringify(Object.fromEntries(this.#held)), 0o600)
      .catch((error: Error) => log(`cannot save which ports apps hold: ${error.message}`));
  }
}

function isHeld(value: unknown): value is HeldPort {
  const { holder, seenMs } = (value ?? {}) as Partial<HeldPort>;
  return (holder === null || typeof holder === "string") && typeof seenMs === "number";
}
