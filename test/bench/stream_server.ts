/**
 * The TCP backend of the bench, a process of its own. The first byte of a connection says what it is for:
 *   S  short: 1 kB comes, 1 kB goes back, as often as the client likes
 *   D  and 8 bytes: so many bytes are sent
 *   U  and 8 bytes: so many bytes are awaited, then one goes back
 *   G  a GET by HTTP/1.1: server-sent events without end, each with the time of its departure (`wallUs`)
 *   bun test/bench/stream_server.ts ADDRESS PORT
 */
import type { Socket } from "bun";

export const shortBytes = 1_024;
/** Kind and length. */
export const bulkHeadBytes = 9;
const eventEveryMs = 4;

const block = Buffer.alloc(256 * 1_024, "x");
const answer = Buffer.alloc(shortBytes, "y");
const eventHead =
  "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-store\r\ntransfer-encoding: chunked\r\n\r\n";

/** Comparable between processes, with the fine grain of the clock of one. */
export function wallUs(): number {
  return (performance.timeOrigin + performance.now()) * 1_000;
}

class Connection {
  #kind = "";
  #head = Buffer.alloc(0);
  #left = 0;
  #timer: Timer | null = null;

  receive(socket: Socket<Connection>, chunk: Buffer): void {
    if (this.#kind === "") this.#kind = String.fromCharCode(chunk[0] ?? 0);
    if (this.#kind === "S") this.#answerShort(socket, chunk.length);
    else if (this.#kind === "G") this.#sendEvents(socket);
    else this.#bulk(socket, chunk);
  }

  drain(socket: Socket<Connection>): void {
    if (this.#kind === "D") this.#send(socket);
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  #answerShort(socket: Socket<Connection>, arrived: number): void {
    this.#left += arrived;
    while (this.#left >= shortBytes) {
      this.#left -= shortBytes;
      socket.write(answer);
    }
  }

  #bulk(socket: Socket<Connection>, chunk: Buffer): void {
    let arrived = chunk.length;
    if (this.#head.length < bulkHeadBytes) {
      const before = this.#head.length;
      this.#head = Buffer.concat([this.#head, chunk.subarray(0, bulkHeadBytes - before)]);
      if (this.#head.length < bulkHeadBytes) return;
      arrived -= bulkHeadBytes - before;
      this.#left = Number(this.#head.readBigUInt64BE(1));
      if (this.#kind === "D") return this.#send(socket);
    }
    if (this.#kind !== "U") return;
    this.#left -= arrived;
    if (this.#left <= 0) socket.write("k");
  }

  #send(socket: Socket<Connection>): void {
    while (this.#left > 0) {
      const wrote = socket.write(this.#left < block.length ? block.subarray(0, this.#left) : block);
      if (wrote <= 0) return;
      this.#left -= wrote;
    }
  }

  #sendEvents(socket: Socket<Connection>): void {
    if (this.#timer !== null) return;
    socket.write(eventHead);
    this.#timer = setInterval(() => {
      const event = `data: ${wallUs()}\n\n`;
      socket.write(`${event.length.toString(16)}\r\n${event}\r\n`);
    }, eventEveryMs);
  }
}

if (import.meta.main) {
  const [hostname = "", port = "0"] = process.argv.slice(2);
  Bun.listen<Connection>({
    hostname,
    port: Number(port),
    socket: {
      open: (socket) => {
        socket.data = new Connection();
      },
      data: (socket, chunk) => socket.data.receive(socket, chunk),
      drain: (socket) => socket.data.drain(socket),
      close: (socket) => socket.data.close(),
      error: (socket) => socket.data.close(),
    },
  });
}
