/**
 * The APIs of language models by their paths: which one a request is, how the usage in its answer is written, and what OpenTelemetry
 * calls the operation (semantic conventions of GenAI, `gen_ai.operation.name`).
 */

/** How requests and answers are written. */
export type WireForm = "openai" | "responses" | "anthropic" | "ollama";

export interface ApiShape {
  readonly name: string;
  readonly form: WireForm;
  readonly operation: "chat" | "text_completion" | "embeddings" | "rerank" | "count_tokens";
  /** It answers with text, which may come as a stream. */
  readonly generates: boolean;
}

const shape = (
  name: string,
  form: WireForm,
  operation: ApiShape["operation"],
  generates = operation === "chat" || operation === "text_completion",
): ApiShape => ({ name, form, operation, generates });

/** The first whose path the request's path ends with: longer ones stand before those that they end with. */
const shapes: readonly (readonly [path: string, shape: ApiShape])[] = [
  ["/chat/completions", shape("chat", "openai", "chat")],
  ["/completions", shape("completions", "openai", "text_completion")],
  ["/responses/input_tokens", shape("input_tokens", "responses", "count_tokens")],
  ["/responses", shape("responses", "responses", "chat")],
  ["/embeddings", shape("embeddings", "openai", "embeddings")],
  ["/messages/count_tokens", shape("count_tokens", "anthropic", "count_tokens")],
  ["/messages", shape("messages", "anthropic", "chat")],
  ["/rerank", shape("rerank", "openai", "rerank")],
  ["/tokenize", shape("tokenize", "openai", "count_tokens")],
  ["/api/chat", shape("chat", "ollama", "chat")],
  ["/api/generate", shape("generate", "ollama", "text_completion")],
  ["/api/embed", shape("embed", "ollama", "embeddings")],
];

/** null: none that is known. `path` is without the query; engines take an escaped slash of it for a slash. */
export function apiShapeOf(method: string, path: string): ApiShape | null {
  if (method !== "POST") return null;
  const read = path.includes("%") ? path.replaceAll(/%2f/gi, "/") : path;
  return shapes.find(([end]) => read.endsWith(end))?.[1] ?? null;
}
