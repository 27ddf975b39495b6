/** One shape for calls of node:http and node:http2, so that a test can ask for either: what came back, and how it ended. */
import http from "node:http";
import http2 from "node:http2";

export type Version = "http/1.1" | "h2";

export interface Request {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Without `content-length` in the headers it goes as pieces of unknown length. */
  readonly body?: string;
  readonly trailers?: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly trailers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Statuses of the answers before the final one; with their `link`, if they have one. */
  readonly early: readonly string[];
}

export interface Caller {
  /** `onData` hears when body bytes of the answer come. */
  call(request: Request, onData?: () => void): Promise<Answer>;
  close(): void;
}

export function connect(version: Version, host: string, port: number, authority: string): Caller {
  return version === "h2" ? overHttp2(host, port, authority) : overHttp1(host, port, authority);
}

function overHttp1(host: string, port: number, authority: string): Caller {
  const agent = new http.Agent({ keepAlive: true });
  return {
    call: ({ method = "GET", path, headers = {}, body, trailers }, onData = () => {}) =>
      new Promise((resolve, reject) => {
        const early: string[] = [];
        const sent = http.request({
          host,
          port,
          agent,
          method,
          path,
          headers: { ...headers, host: authority },
          maxHeaderSize: 65_536,
        });
        sent.on("information", (info) => early.push(note(info.statusCode, info.headers["link"])));
        sent.on("error", reject);
        sent.on("response", (response) => {
          const chunks: Buffer[] = [];
          response.on("data", (chunk: Buffer) => chunks.push(chunk));
          response.on("data", onData);
          response.on("error", reject);
          response.on("end", () =>
            resolve({
              status: response.statusCode ?? 0,
              headers: response.headers as Answer["headers"],
              trailers: response.trailers as Answer["trailers"],
              body: Buffer.concat(chunks).toString(),
              early,
            }),
          );
        });
        if (trailers !== undefined) sent.addTrailers(trailers);
        // Or the head would wait for the body and tell its length.
        if (body !== undefined) sent.flushHeaders();
        if (headers["expect"] === undefined) sent.end(body);
        else sent.on("continue", () => sent.end(body));
      }),
    close: () => agent.destroy(),
  };
}

function overHttp2(host: string, port: number, authority: string): Caller {
  const session = http2.connect(`http://${host}:${port}`);
  session.on("error", () => {});
  return {
    call: ({ method = "GET", path, headers = {}, body, trailers }, onData = () => {}) =>
      new Promise((resolve, reject) => {
        const early: string[] = [];
        const head = { ...headers, ":method": method, ":path": path, ":authority": authority };
        const stream = session.request(head, {
          endStream: body === undefined && trailers === undefined,
          waitForTrailers: trailers !== undefined,
        });
        let answer: http2.IncomingHttpHeaders = {};
        let end: http2.IncomingHttpHeaders = {};
        const chunks: Buffer[] = [];
        stream.on("headers", (info) => early.push(note(Number(info[":status"]), info["link"])));
        stream.on("response", (response) => (answer = response));
        stream.on("trailers", (fields) => (end = fields));
        stream.on("data", (chunk: Buffer) => chunks.push(chunk));
        stream.on("data", onData);
        stream.on("error", reject);
        stream.on("close", () =>
          resolve({
            status: Number(answer[":status"]),
            headers: answer as Answer["headers"],
            trailers: { ...end } as Answer["trailers"],
            body: Buffer.concat(chunks).toString(),
            early,
          }),
        );
        if (trailers !== undefined) stream.on("wantTrailers", () => stream.sendTrailers(trailers));
        if (headers["expect"] === undefined) stream.end(body);
        else stream.on("continue", () => stream.end(body));
      }),
    close: () => session.close(),
  };
}

function note(status: number, link: string | string[] | undefined): string {
  return link === undefined ? String(status) : `${status} ${String(link)}`;
}
