/** The metrics that engines show of their queues and caches, under their real names. */
import type { Engine } from "../../../src/model/inference.ts";
import type { EngineModel } from "./engine_model.ts";

type Line = readonly [name: string, labels: string, value: number];

/** null: it has none at that path. */
export function engineMetrics(engine: Engine, model: EngineModel, name: string, path: string): string | null {
  const wanted = engine === "trtllm" ? "/prometheus/metrics" : "/metrics";
  const lines = path === wanted ? linesOf(engine, model, name) : [];
  if (lines.length === 0) return null;
  return `${lines.map(([metric, labels, value]) => `${metric}${labels} ${value}`).join("\n")}\n`;
}

function linesOf(engine: Engine, model: EngineModel, name: string): readonly Line[] {
  const { waiting, running, cacheShare, settings } = model;
  const { blockTokens, blocks } = settings;
  const labels = `{model_name="${name}"}`;
  switch (engine) {
    case "vllm": {
      const both = `{engine="0",model_name="${name}"}`;
      return [
        ["vllm:num_requests_waiting", both, waiting],
        ["vllm:num_requests_running", both, running],
        ["vllm:kv_cache_usage_perc", both, cacheShare],
        ["vllm:cache_config_info", `{block_size="${blockTokens}",engine="0",num_gpu_blocks="${blocks}"}`, 1],
      ];
    }
    case "sglang":
      return [
        ["sglang:num_queue_reqs", labels, waiting],
        ["sglang:num_running_reqs", labels, running],
        ["sglang:token_usage", labels, cacheShare],
        ["sglang:cache_config_info", `{num_pages="${blocks}",page_size="${blockTokens}"}`, 1],
      ];
    case "trtllm":
      return [
        ["trtllm_num_requests_waiting", labels, waiting],
        ["trtllm_num_requests_running", labels, running],
        ["trtllm_kv_cache_utilization", labels, cacheShare],
        ["trtllm_kv_cache_tokens_per_block", labels, blockTokens],
        ["trtllm_kv_cache_max_blocks", labels, blocks],
      ];
    case "llamacpp":
      return [
        ["llamacpp:requests_deferred", "", waiting],
        ["llamacpp:requests_processing", "", running],
      ];
    default:
      return [];
  }
}
