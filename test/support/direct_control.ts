/** A ControlClient that calls an app in this process, as the caller whose SPIFFE ID it is given. */
import type {
  ControlAnswer,
  ControlClient,
  ControlHandler,
  ControlStream,
  StreamHandler,
  StreamOptions,
} from "../../src/api/control.ts";
import { ControlRefusal } from "../../src/api/control.ts";
import type { LinesUp } from "../../src/api/lines_up.ts";

interface App {
  fetch: ControlHandler;
}

export class DirectControl implements ControlClient {
  readonly #streams = new Set<ControlStream>();

  constructor(
    readonly app: App,
    readonly spiffeId: string | null,
  ) {}

  async call(
    method: "GET" | "POST" | "PUT" | "DELETE",
    path: string,
    body?: unknown,
  ): Promise<ControlAnswer> {
    const response = await this.#send(method, path, body);
    return { status: response.status, body: await response.json() };
  }

  async fetchBytes(path: string): Promise<Uint8Array> {
    return new Uint8Array(await (await this.#send("GET", path)).arrayBuffer());
  }

  stream(
    path: string,
    handler: StreamHandler,
    body?: unknown,
    { both = false }: StreamOptions = {},
  ): ControlStream {
    let cancel = (): void => {};
    let closed = false;
    let up: ((message: unknown) => void) | null = null;
    const lines: LinesUp = { take: (line) => void (up = line) };
    const stream = {
      send: (message: unknown): boolean => {
        up?.(JSON.parse(JSON.stringify(message)));
        return up !== null;
      },
      close: (): void => {
        closed = true;
        cancel();
      },
    };
    this.#streams.add(stream);
    const follow = async (): Promise<void> => {
      const method = body === undefined ? "GET" : "POST";
      const response = await this.#send(method, path, body, both ? { lines } : {});
      const reader = (response.body as ReadableStream<Uint8Array>).getReader();
      cancel = () => void reader.cancel();
      if (closed) return cancel();
      let rest = "";
      for (;;) {
        const { done, value } = await reader.read();
        if (done || closed) break;
        const lines = (rest + new TextDecoder().decode(value)).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) handler.line(JSON.parse(line));
      }
    };
    follow().then(
      () => closed || handler.ended(null),
      (error: ControlRefusal) => closed || handler.ended(error),
    );
    return stream;
  }

  close(): void {
    for (const stream of this.#streams) stream.close();
  }

  async #send(
    method: string,
    path: string,
    body?: unknown,
    more: { readonly lines?: LinesUp } = {},
  ): Promise<Response> {
    const request = new Request(`http://control${path}`, {
      method,
      body: body === undefined ? null : JSON.stringify(body),
    });
    const { spiffeId } = this;
    const caller = { certificate: null, spiffeId, remoteAddress: "127.0.0.1" };
    const response = await this.app.fetch(request, { caller, ...more });
    if (response.ok) return response;
    throw new ControlRefusal(response.status, (await response.json()) as { error: string }, "direct");
  }
}
