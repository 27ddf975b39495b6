/**
 * What an answer says that it cost, in tokens, by the form in which its API writes it. Fields that come in several events are merged, the
 * later over the earlier, and never added up; a zero that is said is a zero.
 */
import type { Usage } from "../model/usage.ts";
import type { WireForm } from "./api_shape.ts";

/** Paths to the numbers, in what stands under `usage`, or in the whole answer. */
interface Form {
  readonly usage: readonly (readonly string[])[];
  readonly input: string;
  readonly output: string;
  readonly cached: readonly string[];
  readonly cacheCreation: readonly string[];
  readonly reasoning: readonly string[];
  /** What is read from and written to the cache comes on top of `input`. */
  readonly cacheApart: boolean;
}

const none: readonly string[] = [];

const forms: Readonly<Record<WireForm, Form>> = {
  openai: {
    usage: [["usage"]],
    input: "prompt_tokens",
    output: "completion_tokens",
    cached: ["prompt_tokens_details", "cached_tokens"],
    cacheCreation: none,
    reasoning: ["completion_tokens_details", "reasoning_tokens"],
    cacheApart: false,
  },
  responses: {
    usage: [["usage"], ["response", "usage"]],
    input: "input_tokens",
    output: "output_tokens",
    cached: ["input_tokens_details", "cached_tokens"],
    cacheCreation: none,
    reasoning: ["output_tokens_details", "reasoning_tokens"],
    cacheApart: false,
  },
  anthropic: {
    // Counting tokens is answered without `usage` around them.
    usage: [["usage"], ["message", "usage"], []],
    input: "input_tokens",
    output: "output_tokens",
    cached: ["cache_read_input_tokens"],
    cacheCreation: ["cache_creation_input_tokens"],
    reasoning: none,
    cacheApart: true,
  },
  ollama: {
    usage: [[]],
    input: "prompt_eval_count",
    output: "eval_count",
    cached: none,
    cacheCreation: none,
    reasoning: none,
    cacheApart: false,
  },
};

/** Gathers the usage of one answer. */
export class UsageSum {
  #input: number | null = null;
  #output: number | null = null;
  #cached: number | null = null;
  #cacheCreation: number | null = null;
  #reasoning: number | null = null;
  readonly #form: Form;

  constructor(form: WireForm) {
    this.#form = forms[form];
  }

  /** An event, or the whole answer. */
  merge(value: unknown): void {
    const { usage, input, output, cached, cacheCreation, reasoning } = this.#form;
    for (const path of usage) {
      const found = at(value, path);
      this.#input = tokensAt(found, [input]) ?? this.#input;
      this.#output = tokensAt(found, [output]) ?? this.#output;
      this.#cached = tokensAt(found, cached) ?? this.#cached;
      this.#cacheCreation = tokensAt(found, cacheCreation) ?? this.#cacheCreation;
      this.#reasoning = tokensAt(found, reasoning) ?? this.#reasoning;
    }
  }

  get usage(): Usage {
    const apart = this.#form.cacheApart ? (this.#cached ?? 0) + (this.#cacheCreation ?? 0) : 0;
    return {
      input: this.#input === null ? null : this.#input + apart,
      output: this.#output,
      cached: this.#cached,
      cacheCreation: this.#cacheCreation,
      reasoning: this.#reasoning,
    };
  }
}

function at(value: unknown, path: readonly string[]): unknown {
  let found = value;
  for (const name of path) {
    if (typeof found !== "object" || found === null) return undefined;
    found = Object.hasOwn(found, name) ? found[name as keyof typeof found] : undefined;
  }
  return found;
}

/** null: there is no number that could be one of tokens. */
function tokensAt(value: unknown, path: readonly string[]): number | null {
  if (path.length === 0) return null;
  const found = at(value, path);
  return typeof found === "number" && Number.isSafeInteger(found) && found >= 0 ? found : null;
}
