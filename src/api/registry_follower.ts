/**
 * Keeps everything under a prefix current: reads it once, then follows the changes. Over restarts and absences of the
 * registry what was known stays known until something newer is; where it left off cannot be resumed, it reads all again.
 */
import { problemOf } from "../base/result.ts";
import type { Clock, Random, Timer } from "../../runtime/contract.ts";
import { Backoff } from "../base/backoff.ts";
import type { ControlClient, ControlStream } from "./control.ts";
import { limits } from "../model/limits.ts";
import { registryPaths, type KnownEntry, type RangeAnswer, type WatchLine } from "./messages.ts";

export interface Following {
  close(): void;
}

export interface FollowHandler {
  /**
   * The whole prefix as it stood at this revision, after every change. `anew`: it was read in another life of the registry than what was
   * told before, and nobody heard how one became the other.
   */
  state(entries: ReadonlyMap<string, KnownEntry>, revision: number, anew: boolean): void;
  /** The stream stands (null) or is lost (why). */
  connection(problem: string | null): void;
}

/** What it takes to follow. */
export interface FollowSource {
  readonly control: ControlClient;
  readonly clock: Clock;
  readonly random: Random;
  page(prefix: string, after: string): Promise<RangeAnswer>;
}

export class RegistryFollower implements Following {
  #entries = new Map<string, KnownEntry>();
  readonly #backoff: Backoff;
  /** Life of the registry that the revisions are of; null: everything has to be read. */
  #epoch: string | null = null;
  /** The life and revision that were known before all was read again. */
  #known: { readonly epoch: string | null; readonly revision: number } = { epoch: null, revision: 0 };
  /** Nothing up to this revision is missing. */
  #revision = 0;
  /** What is known is a state that ever was from this revision on: pages are read one after the other. */
  #wholeFrom = 0;
  #told = 0;
  #anew = false;
  #stream: ControlStream | null = null;
  #timer: Timer | null = null;
  #closed = false;

  constructor(
    readonly source: FollowSource,
    readonly prefix: string,
    readonly handler: FollowHandler,
  ) {
    const { random } = source;
    this.#backoff = new Backoff({
      firstMs: limits.reconnectMs,
      maxMs: limits.reconnectMaxMs,
      unit: () => random.unit(),
    });
    void this.#begin();
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#stream?.close();
  }

  async #begin(): Promise<void> {
    try {
      if (this.#epoch === null) await this.#readAll();
    } catch (error) {
      return this.#lost(problemOf(error));
    }
    if (!this.#closed) this.#watch();
  }

  async #readAll(): Promise<void> {
    const read = new Map<string, KnownEntry>();
    const first = await this.source.page(this.prefix, "");
    // Several registries over one store: this one has not heard yet of what another one told.
    if (first.epoch === this.#known.epoch && first.revision < this.#known.revision)
      throw new Error(
        `the registry is behind: at revision ${first.revision}, ${this.#known.revision} is known`,
      );
    let page = first;
    for (;;) {
      for (const entry of page.entries) read.set(entry.key, entry);
      if (page.next === null || this.#closed) break;
      page = await this.source.page(this.prefix, page.next);
      if (page.epoch !== first.epoch) throw new Error("the registry was started again while it was read");
    }
    this.#anew ||= this.#known.epoch !== null && first.epoch !== this.#known.epoch;
    this.#entries = read;
    this.#epoch = first.epoch;
    this.#revision = first.revision;
    this.#wholeFrom = page.revision;
    this.#known = { epoch: first.epoch, revision: first.revision };
    this.#told = 0;
  }

  #watch(): void {
    const query = new URLSearchParams({
      prefix: this.prefix,
      from: String(this.#revision),
      epoch: this.#epoch ?? "",
    });
    let first = true;
    this.#stream = this.source.control.stream(`${registryPaths.watch}?${query.toString()}`, {
      line: (message) => {
        const line = message as WatchLine;
        if (this.#closed) return;
        if (line.kind === "compacted") {
          this.#known = { epoch: this.#epoch, revision: this.#revision };
          this.#epoch = null;
          return;
        }
        if (first) this.handler.connection(null);
        first = false;
        this.#backoff.reset();
        this.#take(line);
      },
      ended: (error) => this.#lost(error?.message ?? "the registry ended the stream"),
    });
    this.#tell(false);
  }

  #take(line: Exclude<WatchLine, { kind: "compacted" }>): void {
    if (line.kind === "heartbeat") {
      this.#revision = line.revision;
      return this.#tell(false);
    }
    for (const change of line.changes) {
      if (change.kind === "delete") this.#entries.delete(change.key);
      else this.#entries.set(change.key, { key: change.key, value: change.value, modified: change.modified });
    }
    if (line.partial) return;
    this.#revision = line.revision;
    this.#tell(true);
  }

  #tell(changed: boolean): void {
    if (this.#closed || this.#revision < this.#wholeFrom || (this.#told > 0 && !changed)) return;
    this.#told = this.#revision;
    const anew = this.#anew;
    this.#anew = false;
    this.handler.state(this.#entries, this.#revision, anew);
  }

  #lost(reason: string): void {
    if (this.#closed) return;
    this.#stream = null;
    this.handler.connection(reason);
    this.#timer = this.source.clock.after(this.#backoff.nextMs(), () => void this.#begin(), true);
  }
}
