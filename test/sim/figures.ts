/** What is counted in a simulation, second by second, and what the table says of it. */

interface Second {
  came: number;
  /** Of those that came in it. */
  good: number;
  attempts: number;
}

export interface Summary {
  /** Of requests that came while the fault lasted, answered or given up. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  /** Part of the requests from the beginning of the fault to the end of the run that failed. */
  readonly errors: number;
  /** The most in ten seconds: what a budget is about. */
  readonly attemptsPerRequest: number;
  /** Seconds from the end of the fault until nineteen of twenty requests are served, five seconds running; null: never. */
  readonly recoverySeconds: number | null;
}

export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
  readonly endMs: number;
}

const goodShare = 0.95;
const goodSeconds = 5;
const budgetSeconds = 10;

export class Figures {
  readonly #seconds: Second[] = [];
  readonly #tookMs: number[] = [];

  constructor(readonly span: Span) {
    const count = Math.ceil(span.endMs / 1_000) + 1;
    for (let at = 0; at < count; at++) this.#seconds.push({ came: 0, good: 0, attempts: 0 });
  }

  came(nowMs: number): void {
    this.#at(nowMs).came++;
  }

  tried(nowMs: number): void {
    this.#at(nowMs).attempts++;
  }

  done(startedMs: number, nowMs: number, good: boolean): void {
    const { fromMs, toMs } = this.span;
    if (good) this.#at(startedMs).good++;
    if (startedMs >= fromMs && startedMs < toMs) this.#tookMs.push(nowMs - startedMs);
  }

  summary(): Summary {
    const took = Float64Array.from(this.#tookMs).sort();
    const part = (share: number): number =>
      took[Math.min(took.length - 1, Math.floor(share * took.length))] ?? 0;
    return {
      p50Ms: part(0.5),
      p99Ms: part(0.99),
      p999Ms: part(0.999),
      errors: this.#errors(),
      attemptsPerRequest: this.#attemptsPerRequest(),
      recoverySeconds: this.#recoverySeconds(),
    };
  }

  /** Of those that came between two times, the part that was served. */
  goodBetween(fromMs: number, toMs: number): number {
    const seconds = this.#seconds.slice(fromMs / 1_000, toMs / 1_000);
    return sum(seconds, "good") / Math.max(1, sum(seconds, "came"));
  }

  #at(ms: number): Second {
    return this.#seconds[Math.min(this.#seconds.length - 1, Math.floor(ms / 1_000))] as Second;
  }

  #errors(): number {
    return 1 - this.goodBetween(this.span.fromMs, this.#judgedMs);
  }

  #attemptsPerRequest(): number {
    let most = 0;
    for (let at = budgetSeconds; at <= this.#judgedMs / 1_000; at++) {
      const seconds = this.#seconds.slice(at - budgetSeconds, at);
      most = Math.max(most, sum(seconds, "attempts") / Math.max(1, sum(seconds, "came")));
    }
    return most;
  }

  #recoverySeconds(): number | null {
    const first = Math.ceil(this.span.toMs / 1_000);
    for (let at = first; at + goodSeconds <= this.#judgedMs / 1_000; at++) {
      const run = this.#seconds.slice(at, at + goodSeconds);
      if (run.every(({ good, came }) => good >= goodShare * came)) return at - first;
    }
    return null;
  }

  /** The requests of the last seconds are not over yet. */
  get #judgedMs(): number {
    return this.span.endMs - 5_000;
  }
}

function sum(seconds: readonly Second[], key: keyof Second): number {
  return seconds.reduce((all, each) => all + each[key], 0);
}
