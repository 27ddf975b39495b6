/** What is read of answers of language models while they pass: each API's usage, content and end, however the bytes are split. */
import { describe, expect, test } from "bun:test";
import { AnswerReader, answerFormOf, type AnswerForm } from "../../../src/inference/answer_reader.ts";
import { apiShapeOf, type WireForm } from "../../../src/inference/api_shape.ts";
import { limits } from "../../../src/model/limits.ts";
import { answerOf } from "../../support/inference/engine_answers.ts";

function read(wire: WireForm, form: AnswerForm, text: string, step = Infinity): AnswerReader {
  const bytes = new TextEncoder().encode(text);
  const reader = new AnswerReader(wire, form);
  for (let at = 0; at < bytes.length; at += step) reader.push(bytes, at, Math.min(bytes.length, at + step));
  reader.end();
  return reader;
}

const facts = ({ usage, contents, outputTokens, complete, failed, model, finishReason }: AnswerReader) => ({
  ...{ usage, contents, outputTokens, complete, failed, model, finishReason },
});

/** An answer of 5 tokens to a prompt of 100, of which 64 were cached. */
function answer(path: string, stream: boolean): string {
  const body = { stream, stream_options: { include_usage: true } };
  let text = "";
  const writer = answerOf(
    { path, body, model: "m-1", promptTokens: 100, outputTokens: 5 },
    (piece) => (text += piece),
  );
  for (let count = 1; count <= 5; count++) writer.token(count);
  return (writer.end(64) ?? "") + text;
}

const apis: readonly (readonly [path: string, form: WireForm])[] = [
  ["/v1/chat/completions", "openai"],
  ["/v1/completions", "openai"],
  ["/v1/responses", "responses"],
  ["/v1/messages", "anthropic"],
];

for (const [path, wire] of apis)
  for (const stream of [true, false])
    describe(`${stream ? "a stream" : "a whole answer"} of ${path}`, () => {
      const form = stream ? "events" : "whole";
      const text = answer(path, stream);

      test("says what it cost, by which model, and how it ended", () => {
        const found = read(wire, form, text);
        expect(found.usage).toMatchObject({ input: 100, output: 5, cached: 64 });
        expect([found.complete, found.failed, found.model]).toEqual([true, false, "m-1"]);
        expect(found.contents).toBe(stream ? 5 : 1);
        expect(found.finishReason).toMatch(/^(?:stop|end_turn|completed)$/);
      });

      test("is read alike wherever it is split", () => {
        const whole = facts(read(wire, form, text));
        for (let step = 1; step < 40; step++) expect(facts(read(wire, form, text, step))).toEqual(whole);
        const bytes = new TextEncoder().encode(text);
        for (let at = 1; at < bytes.length; at++) {
          const reader = new AnswerReader(wire, form);
          reader.push(bytes, 0, at);
          reader.push(bytes, at, bytes.length);
          reader.end();
          expect(facts(reader)).toEqual(whole);
        }
      });

      test("is read alike whatever ends its lines", () => {
        if (!stream) return;
        const whole = facts(read(wire, form, text));
        for (const end of ["\r\n", "\r"])
          for (const step of [1, 7, Infinity])
            expect(facts(read(wire, form, text.replaceAll("\n", end), step))).toEqual(whole);
      });
    });

describe("usage", () => {
  const event = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`;

  test("that comes in several events is merged, never added up, and a zero is a zero", () => {
    const start = { input_tokens: 10, cache_read_input_tokens: 4, output_tokens: 1 };
    const text =
      event({ type: "message_start", message: { model: "m", usage: start } }) +
      event({ type: "message_delta", delta: {}, usage: { output_tokens: 9 } }) +
      event({
        ...{ type: "message_delta", delta: { stop_reason: "end_turn" } },
        usage: { input_tokens: 12, cache_read_input_tokens: 0, output_tokens: 11 },
      });
    expect(read("anthropic", "events", text).usage).toMatchObject({ input: 12, cached: 0, output: 11 });
  });

  test("of Anthropic's prompts counts what is read from and written to the cache", () => {
    const usage = { input_tokens: 3, cache_read_input_tokens: 100, cache_creation_input_tokens: 20 };
    const text = event({ type: "message_delta", delta: {}, usage });
    expect(read("anthropic", "events", text).usage).toMatchObject({
      ...{ input: 123, cached: 100, cacheCreation: 20, output: null },
    });
  });

  test("of Responses stands in whichever event ends them", () => {
    for (const type of ["response.completed", "response.incomplete", "response.failed"]) {
      const usage = { input_tokens: 5, output_tokens: 0 };
      const found = read("responses", "events", event({ type, response: { model: "m", usage } }));
      expect(found.usage).toMatchObject({ input: 5, output: 0 });
      expect([found.complete, found.failed]).toEqual([true, type === "response.failed"]);
    }
  });

  test("of a stream that says nothing is what its text comes to", () => {
    const long = event({ choices: [{ delta: { content: "x".repeat(400) } }] });
    expect(read("openai", "events", long).outputTokens).toBe(100);
    const short = event({ choices: [{ delta: { content: "a" } }] }).repeat(7);
    expect(read("openai", "events", short)).toMatchObject({ outputTokens: 7, complete: false });
  });

  test("of a long whole answer is found at its end, and not in its text", () => {
    const content = `"usage": {"prompt_tokens": 1}`.repeat(4_000);
    const usage = { prompt_tokens: 42, completion_tokens: 7 };
    const text = JSON.stringify({ choices: [{ message: { content } }], usage, more: null });
    for (const step of [Infinity, 1_000])
      expect(read("openai", "whole", text, step).usage).toMatchObject({ input: 42, output: 7 });
  });

  test("of Ollama stands in the last line", () => {
    const lines = [
      { model: "m", message: { content: "a" }, done: false },
      { model: "m", done: true, done_reason: "stop", prompt_eval_count: 8, eval_count: 1 },
    ];
    const found = read("ollama", "lines", lines.map((each) => `${JSON.stringify(each)}\n`).join(""));
    expect(found.usage).toMatchObject({ input: 8, output: 1 });
    expect([found.complete, found.finishReason, found.contents]).toEqual([true, "stop", 1]);
  });
});

test("an error inside of a stream is one, whichever way it is told", () => {
  const errors: readonly (readonly [WireForm, string])[] = [
    ["openai", 'data: {"error": {"message": "no"}}\n\n'],
    ["anthropic", 'event: error\ndata: {"type": "error", "error": {"type": "overloaded_error"}}\n\n'],
    ["responses", 'data: {"type": "response.failed", "response": {"status": "failed"}}\n\n'],
  ];
  for (const [wire, text] of errors) expect(read(wire, "events", text).failed).toBe(true);
});

test("content begins with the first character, not with the role or an empty text", () => {
  const chunk = (delta: object): string => `data: ${JSON.stringify({ choices: [{ delta }] })}\n\n`;
  expect(read("openai", "events", chunk({ role: "assistant", content: "" })).contents).toBe(0);
  for (const delta of [
    { content: "a" },
    { reasoning_content: "a" },
    { tool_calls: [{ function: { arguments: "{" } }] },
  ])
    expect(read("openai", "events", chunk(delta)).contents).toBe(1);
});

test("what is no answer of a model, and events that are too long, are passed over", () => {
  const noise = `: ping\n\nretry: 5\n\ndata: {"x": [}\n\ndata: ${"y".repeat(limits.inferenceEventBytesMax + 1)}\n\n`;
  const found = read("openai", "events", `${noise}data: [DONE]\n\n`, 65_536);
  expect([found.contents, found.complete, found.failed]).toEqual([0, true, false]);
  expect(
    ["text/event-stream; charset=utf-8", "application/json", "text/html", null].map(answerFormOf),
  ).toEqual([...(["events", "whole", null, null] as const)]);
});

test("an API is known by the end of its path", () => {
  const nameOf = (path: string) => apiShapeOf("POST", path)?.name ?? null;
  expect(
    ["/v1/chat/completions", "/openai/deployments/x/chat/completions", "/v1/completions", "/v1/messages"].map(
      nameOf,
    ),
  ).toEqual(["chat", "chat", "completions", "messages"]);
  expect(["/v1/messages/count_tokens", "/v1/models", "/messages/x"].map(nameOf)).toEqual([
    ...["count_tokens", null, null],
  ]);
  expect(apiShapeOf("GET", "/v1/responses")).toBeNull();
  expect(["/v1/chat%2Fcompletions", "/v1%2fmessages"].map(nameOf)).toEqual(["chat", "messages"]);
});

describe("what an answer that is not over cost", () => {
  test("is at least what came of it, though its first event says that one token did", () => {
    const begin = { type: "message_start", message: { usage: { input_tokens: 9, output_tokens: 1 } } };
    const delta = { type: "content_block_delta", delta: { type: "text_delta", text: "word" } };
    const text = [begin, ...Array.from({ length: 50 }, () => delta)].map(
      (each) => `event: ${each.type}\ndata: ${JSON.stringify(each)}\n\n`,
    );
    expect(read("anthropic", "events", text.join("")).outputTokens).toBe(50);
  });

  test("is what its bytes come to, where it comes whole", () => {
    const reader = new AnswerReader("openai", "whole");
    const bytes = new TextEncoder().encode(`{"choices":[{"message":{"content":"${"word".repeat(1_000)}`);
    reader.push(bytes, 0, bytes.length);
    expect(reader.outputTokens).toBeGreaterThanOrEqual(1_000);
    const vectors = new AnswerReader("openai", "whole", false);
    vectors.push(bytes, 0, bytes.length);
    expect(vectors.outputTokens).toBe(0);
  });
});

test("a whole answer that comes in one large piece is read as if it came in many", () => {
  const call = (at: number) => ({ id: `call-${at}`, function: { name: "find", arguments: `{"at":${at}}` } });
  const message = { content: "yes", tool_calls: Array.from({ length: 300 }, (_, at) => call(at)) };
  const usage = { prompt_tokens: 3, completion_tokens: 7 };
  const text = JSON.stringify({ model: "m", choices: [{ message, finish_reason: "stop" }], usage });
  const found = facts(read("openai", "whole", text));
  expect(found).toEqual(facts(read("openai", "whole", text, 1_000)));
  expect(found).toMatchObject({ model: "m", contents: 1, outputTokens: 7, finishReason: "stop" });
});

test("what Ollama says at the end of an answer with a long context is read", () => {
  const context = Array.from({ length: 20_000 }, (_, at) => at);
  const answered = {
    model: "m",
    response: "yes",
    done: true,
    context,
    prompt_eval_count: 26,
    eval_count: 298,
  };
  const found = read("ollama", "whole", JSON.stringify(answered), 16_000);
  expect(found.usage).toMatchObject({ input: 26, output: 298 });
  expect(found.outputTokens).toBe(298);
});
