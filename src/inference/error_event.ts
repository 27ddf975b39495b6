/**
 * How a stream that cannot go on says so, in the form of its API. Official clients of two languages read it alike: those of OpenAI take
 * an error inside of `data`, without a type of event; those of Anthropic nothing without one.
 */
import type { WireForm } from "./api_shape.ts";

export function errorEvent(form: WireForm, message: string): string {
  switch (form) {
    case "openai":
      return `data: ${JSON.stringify({ error: { message, type: "server_error", param: null, code: null } })}\n\n`;
    case "responses":
      return `event: error\ndata: ${JSON.stringify({ type: "error", code: "server_error", message, param: null })}\n\n`;
    case "anthropic":
      return `event: error\ndata: ${JSON.stringify({ type: "error", error: { type: "api_error", message } })}\n\n`;
    case "ollama":
      return `${JSON.stringify({ error: message })}\n`;
  }
}
