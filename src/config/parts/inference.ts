/** `inference` of a service: that it answers with a language model, and how its calls are spread and timed. */
import * as v from "valibot";
import { bottlenecks, engines, type InferenceTraits } from "../../model/inference.ts";
import { duration, object, said } from "../fields.ts";
import { budgets, expandBudgets } from "./token_budget.ts";
import { atLeast, inMs, wholeNumber } from "./traffic_part.ts";

const engine = v.picklist(engines, "vllm, sglang, trtllm, llamacpp, ollama, openai or anthropic");

export const inferenceWords =
  "It answers with a language model: calls go by prompts and tokens, not by requests alone";

export const inference = object({
  engine: said(engine, "What runs the model, or whose API it is"),
  bottleneck: v.optional(
    said(
      v.picklist(bottlenecks, "prefill or decode"),
      "What an endpoint has least of: prefill, time to read prompts; decode, room for answers under way (default: prefill)",
    ),
  ),
  promptTokensPerSecond: v.optional(
    said(
      wholeNumber(1, 10_000_000),
      "Tokens of prompts that one endpoint reads in a second, without those in its cache (default: as its answers show)",
    ),
  ),
  budgets: v.optional(
    said(
      budgets,
      "How many tokens calls may spend: held before a call, counted on while it streams, settled after it",
    ),
  ),
  release: v.optional(
    said(
      atLeast("1ms", 1),
      "The endpoint that has a prompt in its cache is left when another one is expected to begin its answer so much earlier, beyond twice what reading the prompt anew takes (default: 250ms)",
    ),
  ),
  timeouts: v.optional(
    said(
      object({
        firstContent: v.optional(
          said(
            duration,
            "From the request to the first content of a streamed answer; 0s: no limit (default: 5m)",
          ),
        ),
        nextContent: v.optional(
          said(duration, "From one content of it to the next; 0s: no limit (default: 1m)"),
        ),
        heartbeat: v.optional(
          said(duration, "After so long without a byte the client gets a comment; 0s: none (default: 15s)"),
        ),
      }),
      "What callers of a streamed answer wait for",
    ),
  ),
});

export function expandInference(written: v.InferOutput<typeof inference>): InferenceTraits {
  const { timeouts = {}, budgets: spent, ...own } = written;
  return {
    ...inMs(own, ["release"]),
    ...inMs(timeouts, ["firstContent", "nextContent", "heartbeat"]),
    ...(spent === undefined ? {} : { budgets: expandBudgets(spent) }),
  } as InferenceTraits;
}
