/** How long to wait before trying again: full jitter under a ceiling that doubles, so that many who lost the same peer do not return together. */
export interface BackoffOptions {
  readonly firstMs: number;
  readonly maxMs: number;
  /** Uniform in [0, 1). */
  readonly unit: () => number;
}

export class Backoff {
  private ceilingMs: number;

  constructor(private readonly options: BackoffOptions) {
    this.ceilingMs = options.firstMs;
  }

  /** The next wait. Never below a tenth of its ceiling, so that bad luck makes no busy loop. */
  nextMs(): number {
    const ceiling = this.ceilingMs;
    this.ceilingMs = Math.min(this.options.maxMs, ceiling * 2);
    return ceiling * Math.max(0.1, this.options.unit());
  }

  /** It worked: the next failure starts small again. */
  reset(): void {
    this.ceilingMs = this.options.firstMs;
  }
}
