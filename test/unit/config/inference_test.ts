/** `inference` of a service, as operators write it. */
import { expect, test } from "bun:test";
import { loadDocuments } from "../../../src/config/load.ts";
import { wholeInference, type InferenceTraits } from "../../../src/model/inference.ts";
import type { ServiceDocument } from "../../../src/model/document.ts";
import { limits } from "../../../src/model/limits.ts";

function load(inference: string, protocol = "http", kind = "Service", more = "") {
  const text = `kind: ${kind}\nname: llm\nport: 80\nprotocol: ${protocol}\n${more}inference: ${inference}\n`;
  const { documents, issues } = loadDocuments([{ file: "a.yaml", text }], { policies: null });
  return {
    issues: issues.map((each) => `${each.file}:${each.line} ${each.message}`),
    inference: (documents[0]?.document as ServiceDocument | undefined)?.inference,
  };
}

test("what is not written stays open, and means what the limits say", () => {
  const { issues, inference } = load("{engine: sglang}");
  expect([issues, inference]).toEqual([[], { engine: "sglang" }]);
  expect(wholeInference(inference as InferenceTraits)).toEqual({
    ...{ engine: "sglang", bottleneck: "prefill", promptTokensPerSecond: null },
    releaseMs: limits.prefixReleaseMs,
    firstContentMs: limits.firstContentMs,
    nextContentMs: limits.nextContentMs,
    heartbeatMs: limits.heartbeatMs,
  });
});

test("what is written is in force", () => {
  const all = "{engine: vllm, bottleneck: decode, promptTokensPerSecond: 15928, release: 2s}";
  expect(load(all).inference).toEqual({
    ...({ engine: "vllm", bottleneck: "decode", promptTokensPerSecond: 15_928, releaseMs: 2_000 } as const),
  });
});

test("its times are durations, of which 0s is no limit", () => {
  const times = "{engine: vllm, timeouts: {firstContent: 20s, nextContent: 0s, heartbeat: 500ms}}";
  expect(load(times).inference).toEqual({
    ...({ engine: "vllm", firstContentMs: 20_000, nextContentMs: 0, heartbeatMs: 500 } as const),
  });
});

test("its budgets have a window, and what has one for itself", () => {
  const written =
    "{name: teams, tokens: 5000, window: 1h, per: [caller, {header: x-team}], weights: {cached: 0.1}}";
  expect(load(`{engine: vllm, budgets: [${written}]}`)).toEqual({
    issues: [],
    inference: {
      engine: "vllm",
      budgets: [
        {
          ...{ name: "teams", tokens: 5_000, windowMs: 3_600_000, weights: { cached: 0.1 } },
          per: ["caller", { header: "x-team" }],
        },
      ],
    },
  });
});

test("what is wrong with a budget is said", () => {
  const wrong = (budget: string): string[] => load(`{engine: vllm, budgets: [${budget}]}`).issues;
  expect(wrong("{name: Teams, tokens: 5, window: 1m}")).toEqual([
    expect.stringMatching(/^a\.yaml:5 .*letters a-z/),
  ]);
  expect(wrong("{name: a, tokens: 0, window: 1m}")).toEqual([
    expect.stringMatching(/a whole number from 1 to/),
  ]);
  expect(wrong("{name: a, tokens: 5, window: 1ms}")).toEqual([expect.stringMatching(/at least 1s/)]);
  expect(wrong("{name: a, tokens: 5, window: 1m, per: [user]}")).toEqual([
    expect.stringMatching(/caller, model, or \{header: NAME\}/),
  ]);
  expect(wrong("{name: a, tokens: 5, window: 1m, weights: {output: -1}}")).toEqual([
    expect.stringMatching(/a number from 0 to 1000/),
  ]);
  expect(wrong("{name: a, tokens: 5, window: 1m}, {name: a, tokens: 6, window: 1h}")).toEqual([
    expect.stringMatching(/two budgets have the name a/),
  ]);
});

test("an API outside of the mesh may have it", () => {
  const { issues, inference } = load(
    "{engine: anthropic}",
    "http",
    "External",
    'endpoints: ["api.ai.example:443"]\n',
  );
  expect([issues, inference]).toEqual([[], { engine: "anthropic" }]);
});

test("what is wrong is said with its place and what was expected", () => {
  expect(load("{engine: tgi}").issues).toEqual([
    expect.stringMatching(/^a\.yaml:5 .*vllm, sglang, trtllm, llamacpp, ollama, openai or anthropic/),
  ]);
  expect(load("{}").issues).toEqual([expect.stringMatching(/^a\.yaml:5 .*engine/)]);
  expect(load("{engine: vllm, promptTokensPerSecond: 0}").issues).toEqual([
    expect.stringMatching(/a whole number from 1 to 10000000/),
  ]);
  expect(load("{engine: vllm}", "tcp").issues).toEqual([
    "a.yaml:5 inference: prompts are requests: declare protocol http, http2 or grpc, not tcp",
  ]);
});
