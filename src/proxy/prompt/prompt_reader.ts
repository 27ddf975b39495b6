/** Reads the prompt of a request to a language model before anybody is chosen who gets it. */
import { apiShapeOf, type ApiShape } from "../../inference/api_shape.ts";
import { RequestScan } from "../../inference/request_scan.ts";
import type { RequestHead } from "../../http/exchange.ts";
import type { Prompt } from "../balance/engine_load.ts";

/** null: it is none, or none that could be read. */
export function promptReader(request: RequestHead, path: string, done: () => void): PromptReader | null {
  if (request.contentLength === 0 || request.fields.has("content-encoding")) return null;
  const shape = apiShapeOf(request.method, path);
  const type = (request.fields.get("content-type") ?? "").split(";", 1)[0]?.trim().toLowerCase();
  return shape === null || type !== "application/json" ? null : new PromptReader(shape, request, done);
}

export class PromptReader {
  readonly scan = new RequestScan();

  constructor(
    readonly shape: ApiShape,
    readonly request: Pick<RequestHead, "contentLength">,
    private readonly done: () => void,
  ) {}

  reads(bytes: Uint8Array, start: number, end: number): boolean {
    this.scan.push(bytes, start, end);
    return !this.scan.over && !this.scan.broken;
  }

  ready(): void {
    this.done();
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
