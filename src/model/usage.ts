/** What a call to a language model cost. */

/** Tokens; null: it does not say. */
export interface Usage {
  /** Of the prompt, those from a cache included. */
  readonly input: number | null;
  readonly output: number | null;
  /** Of the prompt, those read from a cache. */
  readonly cached: number | null;
  /** Of the prompt, those written to a cache (Anthropic). */
  readonly cacheCreation: number | null;
  /** Of the answer, those of reasoning. */
  readonly reasoning: number | null;
}
