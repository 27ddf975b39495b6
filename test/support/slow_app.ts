/**
 * An app for tests of memory, a process of its own that speaks plain HTTP/1.1 on raw sockets:
 *   bun test/support/slow_app.ts 127.0.0.1 8080
 * `GET /bytes/N` answers N bytes as fast as they are taken; `POST /deaf` reads nothing of its body, ever; `POST /taken` reads
 * all of it and says how much; anything else is "ok".
 */
import type { Socket } from "bun";

interface Exchange {
  head: string;
  /** Of the answer, not written yet. */
  left: number;
  /** Of the body, not read yet. */
  due: number;
  taken: number;
}

const piece = new Uint8Array(64 * 1024).fill(0x61);

function pour(socket: Socket<Exchange>): void {
  const { data } = socket;
  while (data.left > 0) {
    const wrote = socket.write(piece, 0, Math.min(piece.length, data.left));
    if (wrote <= 0) return;
    data.left -= wrote;
  }
}

function answer(socket: Socket<Exchange>, text: string): void {
  socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${text.length}\r\n\r\n${text}`);
}

function begin(socket: Socket<Exchange>, head: string): void {
  const { data } = socket;
  const [, method, path = "/"] = /^(\S+) (\S+) /.exec(head) ?? [];
  const bytes = /^\/bytes\/(\d+)$/.exec(path)?.[1];
  if (path === "/deaf") return void socket.pause();
  if (bytes !== undefined) {
    data.left = Number(bytes);
    socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${bytes}\r\n\r\n`);
    return pour(socket);
  }
  if (method !== "POST") return answer(socket, "ok");
  data.due = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
}

function read(socket: Socket<Exchange>, chunk: Uint8Array): void {
  const { data } = socket;
  if (data.due > 0) {
    data.due -= chunk.length;
    data.taken += chunk.length;
    if (data.due <= 0) answer(socket, String(data.taken));
    return;
  }
  data.head += Buffer.from(chunk).toString("latin1");
  const end = data.head.indexOf("\r\n\r\n");
  if (end < 0) return;
  const rest = data.head.slice(end + 4);
  begin(socket, data.head.slice(0, end + 4));
  data.head = "";
  data.taken = 0;
  if (rest.length > 0 && data.due > 0) read(socket, Buffer.from(rest, "latin1"));
}

if (import.meta.main) {
  const [hostname = "", port] = process.argv.slice(2);
  Bun.listen<Exchange>({
    hostname,
    port: Number(port),
    socket: {
      open: (socket) => void (socket.data = { head: "", left: 0, due: 0, taken: 0 }),
      data: read,
      drain: pour,
    },
  });
}
