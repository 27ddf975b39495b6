/**
 * An app that fails gRPC calls as no library does, to be run by Node: `failing_server.ts <host> <port>`.
 *   /reset/CODE   resets the stream with that error code of HTTP/2
 *   /die          ends its connections inside its answer
 *   /details      fails with 20 kB of words in its trailers
 */
import { createServer, type ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";

const head = { ":status": 200, "content-type": "application/grpc" };
/** A message without its end. */
const half = Buffer.from([0, 0, 0, 0, 9, 1]);

const [host = "", port = "0"] = process.argv.slice(2);
const sockets = new Set<Socket>();
const server = createServer();
server.on("connection", (socket: Socket) => {
  sockets.add(socket);
  socket.on("close", () => sockets.delete(socket));
});
server.on("sessionError", () => {});
server.on("stream", (stream: ServerHttp2Stream, headers) => {
  const [, what = "", code = "0"] = String(headers[":path"]).split("/");
  stream.on("error", () => {});
  if (what === "reset") return stream.close(Number(code));
  stream.respond(head, { waitForTrailers: true });
  if (what === "die")
    return void stream.write(half, () =>
      setImmediate(() => sockets.forEach((each) => each.resetAndDestroy())),
    );
  stream.on("wantTrailers", () =>
    stream.sendTrailers({ "grpc-status": "9", "grpc-message": "m".repeat(20_000) }),
  );
  stream.end();
});
server.listen(Number(port), host);
