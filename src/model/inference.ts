/** What a service is that answers with a language model: what its engine is, what holds it back, and what its calls wait for. */
import { limits } from "./limits.ts";

/** What runs the model, or whose API it is. */
export const engines = ["vllm", "sglang", "trtllm", "llamacpp", "ollama", "openai", "anthropic"] as const;

export type Engine = (typeof engines)[number];

/** What an endpoint has least of: `prefill`, time to read prompts; `decode`, room for answers under way. */
export const bottlenecks = ["prefill", "decode"] as const;

export type Bottleneck = (typeof bottlenecks)[number];

/** What has a budget for itself: each calling service, each model, or each value of a header field of the request. */
export type BudgetPart = "caller" | "model" | { readonly header: string };

/** A budget of tokens that calls of a service spend, over all proxies of the mesh. */
export interface TokenBudget {
  /** Unique within the service. */
  readonly name: string;
  readonly tokens: number;
  /** The time that slides along, in ms, within which so many may be spent. */
  readonly windowMs: number;
  /** Empty: all calls have it together. */
  readonly per: readonly BudgetPart[];
  /** What a token counts, by its kind; 1 where nothing is said. */
  readonly weights?: Partial<Record<TokenKind, number>>;
  readonly whenAway?: "closed" | "share";
}

/** `cached` and `cacheCreation` are of the input, `input` is the rest of it. */
export type TokenKind = "input" | "cached" | "cacheCreation" | "output";

/** `inference` of a service. What is absent holds as `wholeInference` says. */
export interface InferenceTraits {
  readonly engine: Engine;
  readonly bottleneck?: Bottleneck;
  /** Tokens of prompts that one endpoint reads in a second, as far as they are not in its cache. Absent: as it turns out. */
  readonly promptTokensPerSecond?: number;
  /** The endpoint that has most of a prompt in its cache is left when another one is expected to begin its answer so much earlier, beyond what reading it anew costs. */
  readonly releaseMs?: number;
  /** How long a streamed answer may take to its first content, and from one to the next; 0: as long as it likes. */
  readonly firstContentMs?: number;
  readonly nextContentMs?: number;
  /** Of a stream on which nothing came for so long the client gets a comment; 0: none. */
  readonly heartbeatMs?: number;
  readonly budgets?: readonly TokenBudget[];
}

export interface WholeInference extends Required<Omit<InferenceTraits, "promptTokensPerSecond" | "budgets">> {
  /** null: as it turns out. */
  readonly promptTokensPerSecond: number | null;
}

export function wholeInference(traits: InferenceTraits): WholeInference {
  return {
    bottleneck: "prefill",
    releaseMs: limits.prefixReleaseMs,
    firstContentMs: limits.firstContentMs,
    nextContentMs: limits.nextContentMs,
    heartbeatMs: limits.heartbeatMs,
    ...traits,
    promptTokensPerSecond: traits.promptTokensPerSecond ?? null,
  };
}

/** Names of models as they are written in bodies, case and all. */
export interface ModelMatch {
  readonly type: "Exact" | "Prefix";
  readonly value: string;
}
