/**
 * An HTTP server on Node: `server.ts <host> <port>`. The port speaks HTTP/1.1, the next one HTTP/2 in clear text, the one behind
 * it too, but takes one request at a time on a connection. All answer the same, and echo WebSocket messages (over HTTP/1.1).
 *   /echo              the body, its trailers as trailers, and in `x-seen` what came, as JSON; `x-leave-after` bytes it breaks off
 *   /empty?status=     no body
 *   /early             a 103, then an answer
 *   /cookies           two Set-Cookie fields
 *   /events?ms=&count= Server-Sent Events, numbered
 *   /poll?ms=          answers after that long
 *   /bytes?count=      that many bytes
 *   /count             how many bytes came, and whether they were as /bytes sends them
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import {
  createServer as createHttp2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from "node:http2";
import { WebSocketServer } from "ws";
import { checksBytes, sendPattern } from "./pattern.ts";

type Request = IncomingMessage | Http2ServerRequest;
type Response = ServerResponse | Http2ServerResponse;

export interface SeenHead {
  readonly method: string;
  readonly path: string;
  readonly version: string;
  readonly cookie: string | null;
  readonly length: string | null;
  readonly large: number;
}

function echo(request: Request, response: ServerResponse): void {
  const { method = "", url = "", httpVersion, headers } = request;
  const seen: SeenHead = {
    method,
    path: url,
    version: httpVersion,
    cookie: headers.cookie ?? null,
    length: headers["content-length"] ?? null,
    large: String(headers["x-large"] ?? "").length,
  };
  response.setHeader("x-seen", JSON.stringify(seen));
  if (headers["x-large"] !== undefined) response.setHeader("x-large", headers["x-large"]);
  if (headers["x-with-length"] !== undefined && headers["content-length"] !== undefined)
    response.setHeader("content-length", headers["content-length"]);
  else if (httpVersion === "1.1") response.setHeader("trailer", "x-sum");
  response.writeHead(200);
  let left = Number(headers["x-leave-after"] ?? 0) || Infinity;
  request.on("data", (chunk: Buffer) => {
    left -= chunk.length;
    if (left <= 0) return void leave(request, response);
    if (!response.write(chunk)) {
      request.pause();
      response.once("drain", () => request.resume());
    }
  });
  request.on("end", () => {
    const sum = request.trailers["x-sum"];
    if (sum !== undefined) response.addTrailers({ "x-sum": sum });
    response.end();
  });
}

/** Ends the exchange so that nobody takes it for whole. */
function leave(request: Request, response: ServerResponse): void {
  if ("stream" in request) request.stream.close(2);
  else response.destroy();
}

function events(response: ServerResponse, everyMs: number, count: number): void {
  response.writeHead(200, { "content-type": "text/event-stream" });
  let next = 0;
  const timer = setInterval(() => {
    response.write(`id: ${next}\ndata: event ${next}\n\n`);
    if (++next < count) return;
    clearInterval(timer);
    response.end();
  }, everyMs);
  response.on("close", () => clearInterval(timer));
}

function sendBytes(response: ServerResponse, total: number): void {
  response.writeHead(200, { "content-length": total });
  sendPattern(response, total);
}

function count(request: Request, response: ServerResponse): void {
  const check = checksBytes();
  request.on("data", (chunk: Buffer) => check.take(chunk));
  request.on("end", () => response.end(JSON.stringify({ bytes: check.bytes, whole: check.whole })));
}

function serve(request: Request, given: Response): void {
  // The two are alike in all that is used here.
  const response = given as ServerResponse;
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://any");
  const number = (name: string): number => Number(searchParams.get(name) ?? "0");
  request.on("error", () => {});
  response.on("error", () => {});
  switch (pathname) {
    case "/echo":
      return echo(request, response);
    case "/empty":
      return void response.writeHead(number("status")).end();
    case "/early":
      response.writeEarlyHints({ link: "</style.css>; rel=preload" });
      return void response.end("after early hints");
    case "/cookies":
      response.setHeader("set-cookie", ["a=1; Path=/", "b=2; Path=/"]);
      return void response.end();
    case "/events":
      return events(response, number("ms"), number("count"));
    case "/poll":
      return void setTimeout(() => response.end("polled"), number("ms"));
    case "/bytes":
      return sendBytes(response, number("count"));
    case "/count":
      return count(request, response);
    default:
      response.end("ok");
  }
}

const [host = "", port = "0"] = process.argv.slice(2);
const http2 = createHttp2Server({ settings: { maxConcurrentStreams: 10_000 } }, serve);
const oneByOne = createHttp2Server({ settings: { maxConcurrentStreams: 1 } }, serve);
oneByOne.listen(Number(port) + 2, host, () => http2.listen(Number(port) + 1, host, listenHttp1));

function listenHttp1(): void {
  const http1 = createServer({ maxHeaderSize: 65_536, requestTimeout: 0 }, serve);
  const sockets = new WebSocketServer({
    server: http1,
    maxPayload: 64 * 1024 * 1024,
    perMessageDeflate: true,
  });
  sockets.on("connection", (socket) => {
    socket.on("message", (data, binary) => socket.send(data, { binary }));
    socket.on("error", () => {});
  });
  http1.listen(Number(port), host);
}
