/**
 * `GET /v1/models` of a service whose routes go by the model: one list of what its callers may ask for, in the shape of OpenAI or of
 * Anthropic, made of the names in its routes and of the lists of the services behind them.
 */
import type { DirectAnswer } from "../../model/document.ts";
import { limits } from "../../model/limits.ts";
import type { Fields } from "../../wire/fields.ts";

/** A model as a list has it. */
export interface ListedModel {
  readonly id: string;
  /** The service that says so. */
  readonly owner: string;
  readonly name?: string;
  /** Seconds since 1970. */
  readonly created?: number;
}

export function isModelList(method: string, path: string): boolean {
  return method === "GET" && path.endsWith("/models");
}

/** Paths under which a model can be asked for something, of the same API as the list at `path`. */
export function askedPaths(path: string): readonly string[] {
  const base = path.slice(0, -"/models".length);
  return ["/chat/completions", "/messages", "/responses", "/completions", "/embeddings", "/rerank"].map(
    (each) => base + each,
  );
}

/** What a date can say (ECMA-262, section 21.4.1.1), in seconds. */
const secondsMax = 8.64e12;

/** What a service answered, in either shape; nothing of what is none. */
export function readModelList(owner: string, body: string): readonly ListedModel[] {
  let list: unknown;
  try {
    list = JSON.parse(body);
  } catch {
    return [];
  }
  const data = isObject(list) ? list.data : null;
  if (!Array.isArray(data)) return [];
  return data
    .slice(0, limits.modelsListedMax)
    .filter(isObject)
    .flatMap(({ id, display_name, created, created_at }): ListedModel[] => {
      if (typeof id !== "string" || id === "") return [];
      const atMs = typeof created_at === "string" ? Date.parse(created_at) : Number.NaN;
      const seconds = typeof created === "number" ? created : Math.floor(atMs / 1_000);
      return [
        {
          ...{ id, owner },
          ...(typeof display_name === "string" ? { name: display_name } : {}),
          ...(Math.abs(seconds) <= secondsMax ? { created: seconds } : {}),
        },
      ];
    });
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

/** Of equal names the first counts. Who says `anthropic-version` reads that shape. */
export function modelListAnswer(all: readonly ListedModel[], fields: Fields): DirectAnswer {
  const models = [...Map.groupBy(all, ({ id }) => id).values()].flatMap(([first]) => first ?? []);
  const list = fields.has("anthropic-version") ? anthropicList(models) : openAiList(models);
  return { status: 200, headers: ["content-type", "application/json"], body: JSON.stringify(list) };
}

function openAiList(models: readonly ListedModel[]): unknown {
  const data = models.map(({ id, owner, created = 0 }) => ({
    ...{ id, object: "model", created, owned_by: owner },
  }));
  return { object: "list", data };
}

function anthropicList(models: readonly ListedModel[]): unknown {
  const data = models.map(({ id, name = id, created = 0 }) => ({
    ...{ type: "model", id, display_name: name, created_at: new Date(created * 1_000).toISOString() },
  }));
  return { data, has_more: false, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null };
}
