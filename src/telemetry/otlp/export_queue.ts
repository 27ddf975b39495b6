/**
 * What waits to be sent to a receiver of OTLP/HTTP, in batches: one under way at a time, bounded, the oldest dropped and counted
 * where more comes. A receiver that says "later" is asked again when it says so, within bounds of its own and of ours.
 */
import type { Clock, Timer } from "../../../runtime/contract.ts";
import { limits } from "../../model/limits.ts";
import { problemOf } from "../../base/result.ts";

/** What a receiver answered. */
export interface OtlpAnswer {
  readonly status: number;
  /** `Retry-After`, milliseconds; null: it said nothing. */
  readonly retryAfterMs: number | null;
  /** Lower case, without parameters. */
  readonly contentType: string;
  readonly body: Uint8Array;
}

/** Sends one request; rejects when there is no answer. */
export type OtlpSend = (body: Uint8Array) => Promise<OtlpAnswer>;

export interface ExportCounts {
  readonly sent: (count: number) => void;
  /** `full`: the queue was; `refused`: the receiver does not take them; `late`: it could not take them for too long. */
  readonly dropped: (reason: "full" | "refused" | "late", count: number) => void;
}

export interface ExportQueueOptions<Item> {
  readonly clock: Clock;
  readonly send: OtlpSend;
  readonly encode: (items: readonly Item[]) => Uint8Array;
  /** How many of a batch it rejected, and why. Throws where the library does on what is no answer of OTLP. */
  readonly rejected: (answer: Uint8Array) => { readonly count: number; readonly reason: string };
  /** The content type of what is sent, which the answer is to have too. */
  readonly contentType: string;
  readonly counts: ExportCounts;
  /** Told of each item that waits no more, sent or dropped. */
  readonly gone?: (item: Item) => void;
  /** What an item counts for; absent: each for one. */
  readonly weigh?: (item: Item) => number;
  readonly log: (text: string) => void;
  readonly queueMax?: number;
  readonly batchMax?: number;
  readonly delayMs?: number;
  /** Between 0 and 1. */
  readonly unit: () => number;
}

export class ExportQueue<Item> {
  readonly #items: Item[] = [];
  #timer: Timer | null = null;
  /** That timer is for now: whoever adds more does not set another. */
  #atOnce = false;
  /** The batch under way; null: there is none. */
  #sending: Promise<void> | null = null;
  /** How many of that batch wait still: those that are dropped meanwhile are its oldest. */
  #underWay = 0;
  #closed = false;
  /** In a row. */
  #failures = 0;
  /** When the batch under way was tried first. */
  #firstTryMs = 0;
  #retryMs = 0;
  #told = "";
  readonly #queueMax: number;
  readonly #batchMax: number;
  readonly #delayMs: number;

  constructor(readonly options: ExportQueueOptions<Item>) {
    this.#queueMax = options.queueMax ?? limits.exportQueueMax;
    this.#batchMax = options.batchMax ?? limits.exportBatchMax;
    this.#delayMs = options.delayMs ?? limits.exportDelayMs;
  }

  /** Items that wait. */
  get size(): number {
    return this.#items.length;
  }

  add(item: Item): void {
    if (this.#closed) return;
    if (this.#items.length >= this.#queueMax) {
      const oldest = this.#items.shift() as Item;
      if (this.#underWay > 0) this.#underWay--;
      this.options.counts.dropped("full", this.#weightOf([oldest]));
      this.options.gone?.(oldest);
    }
    this.#items.push(item);
    if (this.#items.length >= this.#batchMax && this.#failures === 0) this.#sendSoon(0);
    else this.#sendSoon(this.#delayMs);
  }

  /** Sends what waits, for a moment at most, and takes nothing more. */
  async close(withinMs: number): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    const { clock } = this.options;
    const late = new Promise<void>((done) => void clock.after(withinMs, done, true));
    const sendAll = async (): Promise<void> => {
      while (this.#items.length > 0 && this.#failures === 0) await this.#sendBatch();
    };
    await Promise.race([sendAll(), late]);
  }

  #sendSoon(ms: number): void {
    if (this.#sending !== null || (this.#timer !== null && (ms > 0 || this.#atOnce))) return;
    this.#timer?.cancel();
    this.#atOnce = ms === 0;
    this.#timer = this.options.clock.after(
      ms,
      () => {
        this.#timer = null;
        void this.#sendBatch();
      },
      true,
    );
  }

  /** Resolves when the batch under way is, this one or the one before. */
  #sendBatch(): Promise<void> {
    this.#sending ??= this.#sendOne().finally(() => {
      this.#sending = null;
      this.#sendMore();
    });
    return this.#sending;
  }

  async #sendOne(): Promise<void> {
    if (this.#items.length === 0) return;
    const { clock, encode, send, counts } = this.options;
    const batch = this.#items.slice(0, this.#batchMax);
    this.#underWay = batch.length;
    if (this.#failures === 0) this.#firstTryMs = clock.now();
    const verdict = await send(encode(batch)).then(
      (answer) => this.#judge(answer),
      (error: unknown): Verdict => ({ kind: "later", reason: problemOf(error), afterMs: null }),
    );
    if (verdict.kind === "later" && clock.now() - this.#firstTryMs < limits.exportRetryMaxMs) {
      this.#failures++;
      this.#retryMs = this.#pauseMs(verdict.afterMs);
      return this.#tell(`cannot be sent now: ${verdict.reason}`);
    }
    this.#failures = 0;
    const over = this.#items.splice(0, this.#underWay);
    const done = this.#weightOf(over);
    if (this.options.gone !== undefined) over.forEach(this.options.gone);
    this.#underWay = 0;
    if (verdict.kind === "taken") {
      counts.sent(Math.max(0, done - verdict.rejected));
      if (verdict.rejected > 0) counts.dropped("refused", verdict.rejected);
      this.#tell(verdict.rejected > 0 ? `are rejected in part: ${verdict.reason}` : "");
    } else {
      counts.dropped(verdict.kind === "never" ? "refused" : "late", done);
      this.#tell(`are lost: ${verdict.reason}`);
    }
  }

  #weightOf(items: readonly Item[]): number {
    const { weigh } = this.options;
    return weigh === undefined ? items.length : items.reduce((sum, item) => sum + weigh(item), 0);
  }

  #sendMore(): void {
    if (this.#items.length === 0 || this.#closed) return;
    if (this.#failures > 0) this.#sendSoon(this.#retryMs);
    else this.#sendSoon(this.#items.length >= this.#batchMax ? 0 : this.#delayMs);
  }

  #judge({ status, retryAfterMs, contentType, body }: OtlpAnswer): Verdict {
    if ([429, 502, 503, 504].includes(status))
      return { kind: "later", reason: `the receiver answers ${status}`, afterMs: retryAfterMs };
    if (status < 200 || status > 299) return { kind: "never", reason: `the receiver answers ${status}` };
    // A page of whatever stands at that address is no receiver.
    if (body.length > 0 && contentType !== this.options.contentType)
      return {
        kind: "never",
        reason: `the receiver answers ${contentType || "something"}, not ${this.options.contentType}`,
      };
    try {
      const { count, reason } = this.options.rejected(body);
      return { kind: "taken", rejected: count, reason };
    } catch (error) {
      return { kind: "never", reason: `its answer is not one of OTLP: ${problemOf(error)}` };
    }
  }

  /** Twice as long each time, by chance between half and all of it; never sooner than the receiver says, nor than our own floor. */
  #pauseMs(afterMs: number | null): number {
    const { exportRetryMs, exportRetryAfterMaxMs } = limits;
    const longMs = Math.min(exportRetryAfterMaxMs, exportRetryMs * 2 ** (this.#failures - 1));
    const jittered = longMs * (0.5 + this.options.unit() / 2);
    return Math.min(exportRetryAfterMaxMs, Math.max(jittered, afterMs ?? 0, exportRetryMs / 2));
  }

  /** Once for each thing that is wrong, and once when it is well again. */
  #tell(problem: string): void {
    if (problem === this.#told) return;
    this.options.log(problem === "" ? "are sent again" : problem);
    this.#told = problem;
  }
}

type Verdict =
  | { readonly kind: "taken"; readonly rejected: number; readonly reason: string }
  | { readonly kind: "later"; readonly reason: string; readonly afterMs: number | null }
  | { readonly kind: "never"; readonly reason: string };
