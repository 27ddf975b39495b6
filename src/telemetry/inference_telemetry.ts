/**
 * Metrics of calls to language models, by the names of OpenTelemetry's semantic conventions of GenAI. Clients name models as they like:
 * only names that were answered count, and of them no more than `inferenceModelsMax`.
 */
import { limits } from "../model/limits.ts";
import { families } from "./families.ts";
import type { Histogram, Metrics, Resolve } from "./metrics.ts";
import type { ExchangeRecord, InferenceRecord } from "./record.ts";

export class InferenceTelemetry {
  readonly #tokens: Resolve<Histogram>;
  readonly #duration: Resolve<Histogram>;
  readonly #firstToken: Resolve<Histogram>;
  readonly #betweenTokens: Resolve<Histogram>;
  readonly #models = new Set<string>();

  constructor(metrics: Metrics) {
    this.#tokens = metrics.histogram(families.genAiTokens);
    this.#duration = metrics.histogram(families.genAiDurationSeconds);
    this.#firstToken = metrics.histogram(families.genAiFirstTokenSeconds);
    this.#betweenTokens = metrics.histogram(families.genAiBetweenTokensSeconds);
  }

  finish(record: ExchangeRecord, inference: InferenceRecord, seconds: number): void {
    const { service, source, status, outcome, startedMs } = record;
    const { operation, provider, usage, outputTokens, firstContentMs, lastContentMs } = inference;
    const failed = outcome !== null || status >= 400;
    const model = this.#modelOf(inference.requestModel, !failed);
    const labels = [service, source, operation, provider, model] as const;
    this.#duration(...labels, failed ? (outcome?.flag ?? String(status)) : "").observe(seconds);
    const output = usage.output ?? (outputTokens > 0 ? outputTokens : null);
    const tokens = { input: usage.input, output, cached_input: usage.cached, reasoning: usage.reasoning };
    for (const [type, count] of Object.entries(tokens))
      if (count !== null) this.#tokens(...labels, type).observe(count);
    if (firstContentMs === 0 || !inference.stream) return;
    this.#firstToken(...labels).observe((firstContentMs - startedMs) / 1_000);
    if (outputTokens > 1)
      this.#betweenTokens(...labels).observe((lastContentMs - firstContentMs) / 1_000 / (outputTokens - 1));
  }

  #modelOf(name: string, answered: boolean): string {
    if (name === "" || this.#models.has(name)) return name;
    if (!answered || this.#models.size >= limits.inferenceModelsMax || name.length > 128) return "other";
    this.#models.add(name);
    return name;
  }
}
