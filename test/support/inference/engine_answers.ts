/** Answers as the APIs of OpenAI and Anthropic write them, whole and as streams. */

export interface Ask {
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly model: string;
  readonly promptTokens: number;
  readonly outputTokens: number;
}

export interface AnswerWriter {
  readonly streams: boolean;
  /** One more token was written. */
  token(count: number): void;
  /** The whole answer; null: it was streamed. */
  end(cachedTokens: number): string | null;
}

const word = (count: number): string => ` tok${count % 10}`;
const text = (count: number): string => Array.from({ length: count }, (_, at) => word(at + 1)).join("");
const data = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`;
const named = (event: { readonly type: string }): string => `event: ${event.type}\n${data(event)}`;

export function answerOf(ask: Ask, write: (text: string) => unknown): AnswerWriter {
  if (ask.path.endsWith("/embeddings")) return embedding(ask);
  if (ask.path.endsWith("/messages")) return messages(ask, write);
  if (ask.path.endsWith("/responses")) return responses(ask, write);
  return completions(ask, write);
}

/** Errors in the form of the API. */
export function errorOf(path: string, status: number, message: string): string {
  const type = status === 429 ? "rate_limit_error" : status >= 500 ? "api_error" : "invalid_request_error";
  if (path.endsWith("/messages")) return JSON.stringify({ type: "error", error: { type, message } });
  return JSON.stringify({ error: { message, type, param: null, code: null } });
}

function embedding({ model, promptTokens }: Ask): AnswerWriter {
  const usage = { prompt_tokens: promptTokens, total_tokens: promptTokens };
  const vector = Array.from({ length: 64 }, (_, at) => at / 64);
  const answer = {
    object: "list",
    data: [{ object: "embedding", index: 0, embedding: vector }],
    model,
    usage,
  };
  return { streams: false, token: () => {}, end: () => JSON.stringify(answer) };
}

function completions(ask: Ask, write: (text: string) => unknown): AnswerWriter {
  const { model, body, promptTokens, outputTokens } = ask;
  const chat = ask.path.endsWith("/chat/completions");
  const head = { id: "chatcmpl-1", created: 1_700_000_000, model };
  const usageOf = (cached: number) => ({
    prompt_tokens: promptTokens,
    completion_tokens: outputTokens,
    total_tokens: promptTokens + outputTokens,
    prompt_tokens_details: { cached_tokens: cached },
  });
  if (body.stream !== true) {
    const said = chat
      ? { message: { role: "assistant", content: text(outputTokens) } }
      : { text: text(outputTokens) };
    const choices = [{ index: 0, ...said, finish_reason: "stop" }];
    const object = chat ? "chat.completion" : "text_completion";
    return {
      streams: false,
      token: () => {},
      end: (cached) => JSON.stringify({ ...head, object, choices, usage: usageOf(cached) }),
    };
  }
  const object = chat ? "chat.completion.chunk" : "text_completion";
  const options = body.stream_options as { include_usage?: boolean } | undefined;
  const chunk = (choice: object, finish: string | null): string =>
    data({ ...head, object, choices: [{ index: 0, ...choice, finish_reason: finish }] });
  return {
    streams: true,
    token(count) {
      if (count === 1 && chat) write(chunk({ delta: { role: "assistant", content: "" } }, null));
      write(chunk(chat ? { delta: { content: word(count) } } : { text: word(count) }, null));
    },
    end(cached) {
      write(chunk(chat ? { delta: {} } : { text: "" }, "stop"));
      if (options?.include_usage === true)
        write(data({ ...head, object, choices: [], usage: usageOf(cached) }));
      write("data: [DONE]\n\n");
      return null;
    },
  };
}

function messages(ask: Ask, write: (text: string) => unknown): AnswerWriter {
  const { model, body, promptTokens, outputTokens } = ask;
  const message = { id: "msg_1", type: "message", role: "assistant", model };
  const inputs = (cached: number) => ({
    input_tokens: promptTokens - cached,
    cache_read_input_tokens: cached,
    cache_creation_input_tokens: 0,
  });
  if (body.stream !== true)
    return {
      streams: false,
      token: () => {},
      end: (cached) =>
        JSON.stringify({
          ...message,
          content: [{ type: "text", text: text(outputTokens) }],
          ...{ stop_reason: "end_turn", stop_sequence: null },
          usage: { ...inputs(cached), output_tokens: outputTokens },
        }),
    };
  return {
    streams: true,
    token(count) {
      if (count === 1) {
        const usage = { ...inputs(0), output_tokens: 1 };
        const begun = { ...message, content: [], stop_reason: null, stop_sequence: null, usage };
        write(named({ type: "message_start", message: begun } as never));
        const block = { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } };
        write(named(block));
        write(named({ type: "ping" }));
      }
      const delta = { type: "text_delta", text: word(count) };
      write(named({ type: "content_block_delta", index: 0, delta } as never));
    },
    end(cached) {
      write(named({ type: "content_block_stop", index: 0 } as never));
      const delta = { stop_reason: "end_turn", stop_sequence: null };
      const usage = { ...inputs(cached), output_tokens: outputTokens };
      write(named({ type: "message_delta", delta, usage } as never));
      write(named({ type: "message_stop" }));
      return null;
    },
  };
}

function responses(ask: Ask, write: (text: string) => unknown): AnswerWriter {
  const { model, body, promptTokens, outputTokens } = ask;
  const answer = (status: string, cached: number, output: string) => ({
    ...{ id: "resp_1", object: "response", created_at: 1_700_000_000, model, status },
    ...{ error: null, incomplete_details: null, instructions: null, metadata: {}, tools: [] },
    ...{ parallel_tool_calls: true, temperature: 1, top_p: 1, tool_choice: "auto" },
    output: [
      {
        ...{ type: "message", id: "msg_1", role: "assistant", status },
        content: [{ type: "output_text", text: output, annotations: [] }],
      },
    ],
    usage:
      status === "completed"
        ? {
            input_tokens: promptTokens,
            input_tokens_details: { cached_tokens: cached },
            output_tokens: outputTokens,
            output_tokens_details: { reasoning_tokens: 0 },
            total_tokens: promptTokens + outputTokens,
          }
        : null,
  });
  if (body.stream !== true)
    return {
      streams: false,
      token: () => {},
      end: (cached) => JSON.stringify(answer("completed", cached, text(outputTokens))),
    };
  let sequence = 0;
  const tell = (type: string, more: object): unknown =>
    write(named({ type, sequence_number: sequence++, ...more } as never));
  return {
    streams: true,
    token(count) {
      if (count === 1) tell("response.created", { response: answer("in_progress", 0, "") });
      const place = { item_id: "msg_1", output_index: 0, content_index: 0 };
      tell("response.output_text.delta", { ...place, delta: word(count), logprobs: [] });
    },
    end(cached) {
      tell("response.completed", { response: answer("completed", cached, text(outputTokens)) });
      return null;
    },
  };
}
