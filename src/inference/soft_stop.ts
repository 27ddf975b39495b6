/**
 * The last events of a stream that ends before the model was done, in the shape of its API, as if the answer had come to its greatest
 * length: official clients end well with it, and say why. To be written between two events.
 */
import type { ApiShape } from "./api_shape.ts";

export interface SoftStop {
  /** As the answer says; "" where it does not. */
  readonly model: string;
  /** Seconds since 1970. */
  readonly atSeconds: number;
}

/** null: this API has no stream of events. */
export function softStop({ form, name, generates }: ApiShape, { model, atSeconds }: SoftStop): string | null {
  if (!generates) return null;
  switch (form) {
    case "openai": {
      const about = { id: "stopped", created: atSeconds, model };
      const end =
        name === "chat"
          ? {
              ...about,
              object: "chat.completion.chunk",
              choices: [{ index: 0, delta: {}, finish_reason: "length" }],
            }
          : {
              ...about,
              object: "text_completion",
              choices: [{ index: 0, text: "", finish_reason: "length" }],
            };
      return `${event(end)}data: [DONE]\n\n`;
    }
    case "responses": {
      const response = {
        ...{
          id: "stopped",
          object: "response",
          created_at: atSeconds,
          model,
          status: "incomplete",
          output: [],
        },
        incomplete_details: { reason: "max_output_tokens" },
      };
      return event({ type: "response.incomplete", response }, "response.incomplete");
    }
    case "anthropic": {
      const delta = { stop_reason: "max_tokens", stop_sequence: null };
      const stop = { type: "message_delta", delta, usage: { output_tokens: 0 } };
      return event(stop, "message_delta") + event({ type: "message_stop" }, "message_stop");
    }
    case "ollama":
      return `${JSON.stringify({ model, done: true, done_reason: "length" })}\n`;
  }
}

function event(value: object, name?: string): string {
  return `${name === undefined ? "" : `event: ${name}\n`}data: ${JSON.stringify(value)}\n\n`;
}
