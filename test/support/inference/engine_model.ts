/**
 * An engine that serves a language model, as a batch in time: it reads prompts in pieces, writes one token of each answer in a
 * step, keeps the blocks of prompts in a cache, and lets wait what has no room. It knows no clock: whoever runs it asks for a
 * step and lets the time pass that it says.
 */

export interface EngineSettings {
  /** Tokens of prompts that it reads in a second. */
  readonly prefillPerSecond: number;
  /** Milliseconds of a step: so many, and so many more for each answer under way. */
  readonly stepMs: number;
  readonly stepMsPerStream: number;
  /** Tokens of prompts in one step. */
  readonly stepTokensMax: number;
  /** Answers under way at a time. */
  readonly streamsMax: number;
  /** Tokens in a block of its cache, and how many blocks there are. */
  readonly blockTokens: number;
  readonly blocks: number;
}

const engineDefaults: EngineSettings = {
  prefillPerSecond: 16_000,
  stepMs: 8,
  stepMsPerStream: 0.2,
  stepTokensMax: 2_048,
  streamsMax: 64,
  blockTokens: 16,
  blocks: 20_000,
};

export interface Job {
  /** One for each whole block of its prompt, each for all of the prompt up to its end. */
  readonly blocks: readonly number[];
  readonly promptTokens: number;
  readonly outputTokens: number;
  /** It was taken out of the queue: so many tokens of its prompt were in the cache. */
  readonly began?: (cachedTokens: number) => void;
  /** Another token of its answer, the first one too. */
  readonly token: (count: number) => void;
  readonly done: () => void;
}

interface Running {
  readonly job: Job;
  /** Tokens of its prompt that are still to be read. */
  unread: number;
  written: number;
}

export class EngineModel {
  readonly settings: EngineSettings;
  readonly #queue: Job[] = [];
  #running: Running[] = [];
  /** Blocks in its cache, the one that was used last at the end. */
  readonly #cache = new Map<number, true>();
  /** Tokens of prompts that it read, and that it had in its cache. */
  readTokens = 0;
  cachedTokens = 0;

  constructor(settings: Partial<EngineSettings> = {}) {
    this.settings = { ...engineDefaults, ...settings };
  }

  get waiting(): number {
    return this.#queue.length;
  }

  get running(): number {
    return this.#running.length;
  }

  /** Of its blocks, those in use. */
  get cacheShare(): number {
    return Math.min(1, this.#usedBlocks / this.settings.blocks);
  }

  get idle(): boolean {
    return this.#queue.length === 0 && this.#running.length === 0;
  }

  submit(job: Job): void {
    this.#queue.push(job);
  }

  /** Nobody wants its answer any more. */
  cancel(job: Job): void {
    const at = this.#queue.indexOf(job);
    if (at >= 0) this.#queue.splice(at, 1);
    this.#running = this.#running.filter((each) => each.job !== job);
  }

  /** Begins a step. Returns how long it takes, in milliseconds, and what is done when it ends. */
  step(): { readonly tookMs: number; readonly end: () => void } {
    this.#admit();
    const { prefillPerSecond, stepMs, stepMsPerStream, stepTokensMax } = this.settings;
    let left = stepTokensMax;
    const writing: Running[] = [];
    for (const each of this.#running) {
      const take = Math.min(left, each.unread);
      each.unread -= take;
      left -= take;
      if (each.unread === 0) writing.push(each);
    }
    const read = stepTokensMax - left;
    this.readTokens += read;
    const tookMs = (read / prefillPerSecond) * 1_000 + stepMs + stepMsPerStream * writing.length;
    return { tookMs, end: () => this.#write(writing) };
  }

  #write(writing: readonly Running[]): void {
    for (const each of writing) {
      if (!this.#running.includes(each)) continue;
      each.written++;
      each.job.token(each.written);
      if (each.written < each.job.outputTokens) continue;
      this.#running = this.#running.filter((other) => other !== each);
      each.job.done();
    }
  }

  get #usedBlocks(): number {
    const { blockTokens } = this.settings;
    return this.#running.reduce(
      (sum, { job }) => sum + Math.ceil((job.promptTokens + job.outputTokens) / blockTokens),
      0,
    );
  }

  #admit(): void {
    const { streamsMax, blocks, blockTokens } = this.settings;
    for (;;) {
      const job = this.#queue[0];
      if (job === undefined || this.#running.length >= streamsMax) return;
      const needed = Math.ceil((job.promptTokens + job.outputTokens) / blockTokens);
      if (this.#running.length > 0 && this.#usedBlocks + needed > blocks) return;
      this.#queue.shift();
      let known = 0;
      while (known < job.blocks.length && this.#cache.has(job.blocks[known] as number)) known++;
      // The last token is read in any case: it says what comes next.
      const cached = Math.min(known * blockTokens, job.promptTokens - 1);
      this.cachedTokens += cached;
      this.#remember(job.blocks);
      this.#running.push({ job, unread: job.promptTokens - cached, written: 0 });
      job.began?.(cached);
    }
  }

  #remember(blocks: readonly number[]): void {
    for (let at = blocks.length - 1; at >= 0; at--) {
      this.#cache.delete(blocks[at] as number);
      this.#cache.set(blocks[at] as number, true);
    }
    for (const block of this.#cache.keys()) {
      if (this.#cache.size <= this.settings.blocks) return;
      this.#cache.delete(block);
    }
  }
}
