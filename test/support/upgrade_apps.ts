/**
 * Apps whose streams last as long as their clients want, for tests in which proxies are replaced meanwhile: HTTP with events, WebSockets
 * and uploads at one port, gRPC at another, bytes that come back at a third. Run it with the three ports.
 */
import { createServer, type ServerHttp2Stream } from "node:http2";

const [http = 0, grpc = 0, pipe = 0] = process.argv.slice(2).map(Number);
const hostname = "127.0.0.1";
const everyMs = 100;

Bun.serve({
  hostname,
  port: http,
  idleTimeout: 0,
  async fetch(request, server) {
    const { pathname } = new URL(request.url);
    if (pathname === "/socket" && server.upgrade(request)) return;
    if (pathname === "/events") return events();
    if (pathname === "/upload") {
      let bytes = 0;
      for await (const chunk of request.body ?? []) bytes += chunk.length;
      return new Response(String(bytes));
    }
    return new Response("hello\n");
  },
  websocket: { message: (socket, message) => void socket.send(message) },
});

function events(): Response {
  let timer: Timer | undefined;
  let count = 0;
  const body = new ReadableStream({
    start(controller) {
      timer = setInterval(() => controller.enqueue(`data: ${count++}\n\n`), everyMs);
    },
    cancel: () => clearInterval(timer),
  });
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
}

/** What comes on a call goes back on it. */
const calls = createServer();
calls.on("stream", (stream: ServerHttp2Stream) => {
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.on("data", (chunk: Uint8Array) => void stream.write(chunk));
  stream.on("end", () => stream.end());
  stream.on("error", () => {});
});
calls.listen(grpc, hostname);

Bun.listen({
  hostname,
  port: pipe,
  socket: { data: (socket, bytes) => void socket.write(bytes), end: (socket) => void socket.end() },
});
