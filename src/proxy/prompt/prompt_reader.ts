/** Reads the prompt of a request to a language model before anybody is chosen who gets it. */
import { apiShapeOf, type ApiShape } from "../../inference/api_shape.ts";
import { RequestScan } from "../../inference/request_scan.ts";
import type { Tally } from "../../base/tally.ts";
import { limits } from "../../model/limits.ts";
import type { RequestHead } from "../../http/exchange.ts";
import type { Prompt } from "../balance/engine_load.ts";

/** `room`: see `PromptReader`. null: it is none, or none that could be read. */
export function promptReader(
  request: RequestHead,
  path: string,
  room: Tally | null,
  done: () => void,
): PromptReader | null {
  if (request.contentLength === 0 || request.fields.has("content-encoding")) return null;
  const shape = apiShapeOf(request.method, path);
  const type = (request.fields.get("content-type") ?? "").split(";", 1)[0]?.trim().toLowerCase();
  return shape === null || type !== "application/json" ? null : new PromptReader(shape, request, room, done);
}

export class PromptReader {
  scan = new RequestScan();
  /** Bytes that are held because its model has not come. */
  #held = 0;

  constructor(
    readonly shape: ApiShape,
    readonly request: Pick<RequestHead, "contentLength">,
    /** What all of those hold that must not go on before their model has come; null: it may. */
    private readonly room: Tally | null,
    private readonly done: () => void,
  ) {}

  /** Of it that is held at most. */
  get most(): number {
    return this.room === null ? limits.inferenceHeldBytesMax : limits.modelHeldBytesMax;
  }

  reads(bytes: Uint8Array, start: number, end: number): boolean {
    const { scan, room } = this;
    scan.push(bytes, start, end);
    if (scan.over || scan.broken) return false;
    if (room === null || scan.model !== null) return scan.bytes < limits.inferenceHeldBytesMax;
    this.#held += end - start;
    return room.added(end - start) <= limits.modelsHeldBytesMax;
  }

  ready(): void {
    this.release();
    this.done();
  }

  /** It waits for its model no longer. */
  release(): void {
    this.room?.add(-this.#held);
    this.#held = 0;
  }

  /** That body goes on in place of the one that came. */
  readAnew(body: Uint8Array): void {
    this.scan = new RequestScan();
    this.scan.push(body, 0, body.length);
  }

  /** `bytesPerToken`: of prompts to that service. */
  prompt(bytesPerToken: number): Prompt {
    const { scan } = this;
    const bytes = scan.promptBytes;
    const unseen = Math.max(0, this.request.contentLength - scan.bytes);
    const repeatable = this.shape.form !== "responses";
    return { tokens: (bytes + unseen) / bytesPerToken, bytes, prefixes: scan.prefixes, repeatable };
  }
}
