/**
 * What the other modes ask of the registry. `follow` keeps a whole prefix current over restarts and absences of the
 * registry: what was known stays known until something newer is.
 */
import type { Clock, Random } from "../../runtime/contract.ts";
import { Backoff } from "../base/backoff.ts";
import type { ControlClient, ControlStream } from "../http/control.ts";
import { limits } from "../model/limits.ts";
import type { Instance } from "../model/service.ts";
import {
  registryPaths,
  type CommitAnswer,
  type CommitRequest,
  type RangeAnswer,
  type WatchLine,
} from "./messages.ts";

export interface KnownEntry {
  readonly key: string;
  readonly value: string;
  readonly modified: number;
}

export interface Following {
  close(): void;
}

export interface FollowHandler {
  /** The whole prefix, after every change. */
  state(entries: ReadonlyMap<string, KnownEntry>, revision: number): void;
  /** The stream stands (null) or is lost (why). */
  connection(problem: string | null): void;
}

export class RegistryClient {
  constructor(
    readonly control: ControlClient,
    readonly clock: Clock,
    readonly random: Random,
  ) {}

  async range(prefix: string): Promise<RangeAnswer> {
    return (await this.control.call("GET", `${registryPaths.range}?prefix=${encodeURIComponent(prefix)}`))
      .body as RangeAnswer;
  }

  async get(key: string): Promise<KnownEntry | null> {
    return (await this.range(key)).entries.find((entry) => entry.key === key) ?? null;
  }

  async commit(
    conditions: CommitRequest["conditions"],
    operations: CommitRequest["operations"],
  ): Promise<CommitAnswer> {
    return (await this.control.call("POST", registryPaths.commit, { conditions, operations }))
      .body as CommitAnswer;
  }

  async register(instance: Instance, ttlMs: number): Promise<void> {
    await this.control.call("PUT", registryPaths.instances, { instance, ttlMs });
  }

  async deregister(id: string): Promise<void> {
    await this.control.call("POST", `${registryPaths.instances}/remove`, { id });
  }

  follow(prefix: string, handler: FollowHandler): Following {
    return new Follow(this, prefix, handler);
  }
}

class Follow implements Following {
  readonly #entries = new Map<string, KnownEntry>();
  readonly #backoff: Backoff;
  #revision = 0;
  #stream: ControlStream | null = null;
  #closed = false;

  constructor(
    readonly client: RegistryClient,
    readonly prefix: string,
    readonly handler: FollowHandler,
  ) {
    const { random } = client;
    this.#backoff = new Backoff({
      firstMs: limits.reconnectMs,
      maxMs: limits.reconnectMaxMs,
      unit: () => random.unit(),
    });
    void this.#begin();
  }

  close(): void {
    this.#closed = true;
    this.#stream?.close();
  }

  async #begin(): Promise<void> {
    if (this.#closed) return;
    try {
      if (this.#revision === 0) await this.#readAll();
    } catch (error) {
      return this.#lost(error instanceof Error ? error.message : String(error));
    }
    if (!this.#closed) this.#watch();
  }

  async #readAll(): Promise<void> {
    const answer = await this.client.range(this.prefix);
    this.#entries.clear();
    for (const entry of answer.entries) this.#entries.set(entry.key, entry);
    this.#revision = answer.revision;
    this.handler.state(this.#entries, this.#revision);
  }

  #watch(): void {
    const path = `${registryPaths.watch}?prefix=${encodeURIComponent(this.prefix)}&from=${this.#revision}`;
    let first = true;
    this.#stream = this.client.control.stream(path, {
      line: (message) => {
        if (first) {
          first = false;
          this.#backoff.reset();
          this.handler.connection(null);
        }
        this.#take(message as WatchLine);
      },
      ended: (error) => this.#lost(error?.message ?? "the registry ended the stream"),
    });
  }

  #take(line: WatchLine): void {
    if (line.kind === "compacted") {
      this.#revision = 0;
      return;
    }
    if (line.kind === "changes") {
      for (const change of line.changes) {
        if (change.kind === "put") this.#entries.set(change.key, change);
        else this.#entries.delete(change.key);
      }
    }
    // A store that starts over has smaller revisions: everything is read again.
    if (line.revision < this.#revision) this.#revision = 0;
    else this.#revision = line.revision;
    if (line.kind === "changes") this.handler.state(this.#entries, line.revision);
  }

  #lost(reason: string): void {
    if (this.#closed) return;
    this.#stream = null;
    this.handler.connection(reason);
    this.client.clock.after(this.#backoff.nextMs(), () => void this.#begin(), true);
  }
}
