/**
 * Servers of opaque connections on Node: `opaque_server.ts <host> <port>`.
 *   the port       a mail server that greets first (SMTP, RFC 5321); `VRFY` says which mail came last, by size and MD5
 *   the next one   bulk: `down <bytes>\n` is answered with that many bytes, `up\n` with how many came before the FIN and
 *                  whether they were the right ones, as JSON
 */
import { createHash } from "node:crypto";
import { createServer, type Socket } from "node:net";
import { checksBytes, sendPattern } from "./pattern.ts";

let lastMail = "none";

/** Takes the lines of one mail up to the dot that stands alone. */
class Mail {
  readonly #hash = createHash("md5");
  #bytes = 0;

  /** False: the mail is over. */
  take(line: Buffer): boolean {
    if (line.toString("latin1") === ".\r\n") {
      lastMail = `${this.#bytes} ${this.#hash.digest("hex")}`;
      return false;
    }
    const text = line[0] === 0x2e ? line.subarray(1) : line;
    this.#bytes += text.length;
    this.#hash.update(text);
    return true;
  }
}

function answerMail(socket: Socket, line: string, begin: () => void): void {
  const say = (text: string): void => void socket.write(`${text}\r\n`);
  switch (line.slice(0, 4).toUpperCase()) {
    case "EHLO":
      return say("250-mail.test greets you\r\n250 8BITMIME");
    case "DATA":
      begin();
      return say("354 go on, and end with a dot");
    case "VRFY":
      return say(`252 ${lastMail}`);
    case "QUIT":
      return void socket.end("221 mail.test says goodbye\r\n");
    default:
      return say("250 ok");
  }
}

function serveMail(socket: Socket): void {
  let rest = Buffer.alloc(0);
  let mail: Mail | null = null;
  socket.on("error", () => {});
  socket.on("data", (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    let from = 0;
    for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n", from)) {
      const line = rest.subarray(from, end + 1);
      from = end + 1;
      if (mail === null) answerMail(socket, line.toString("latin1"), () => (mail = new Mail()));
      else if (!mail.take(line)) {
        mail = null;
        socket.write("250 it is kept\r\n");
      }
    }
    rest = rest.subarray(from);
  });
  socket.write("220 mail.test ESMTP\r\n");
}

function takeBulk(socket: Socket, first: Buffer): void {
  const check = checksBytes();
  check.take(first);
  socket.on("data", (chunk: Buffer) => check.take(chunk));
  socket.on("end", () => socket.end(JSON.stringify({ bytes: check.bytes, whole: check.whole })));
}

function serveBulk(socket: Socket): void {
  socket.on("error", () => {});
  socket.once("data", (chunk: Buffer) => {
    const end = chunk.indexOf("\n");
    const [direction, count] = chunk.subarray(0, end).toString("latin1").split(" ");
    if (direction === "down") sendPattern(socket, Number(count));
    else takeBulk(socket, chunk.subarray(end + 1));
  });
}

const [host = "", port = "0"] = process.argv.slice(2);
createServer({ allowHalfOpen: true }, serveBulk).listen(Number(port) + 1, host, () => {
  createServer({ allowHalfOpen: true }, serveMail).listen(Number(port), host);
});
