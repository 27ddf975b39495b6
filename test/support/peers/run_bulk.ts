/**
 * One body of many bytes, to be run by Node: `run_bulk.ts <down|up> <http/1.1|h2> <host> <port> <authority> <bytes>`. Prints
 * how many arrived and whether they were the right ones. Holds no more than a piece.
 */
import http from "node:http";
import http2 from "node:http2";
import type { Duplex, Readable } from "node:stream";
import { checksBytes, sendPattern } from "./pattern.ts";

export interface Bulk {
  readonly bytes: number;
  readonly whole: boolean;
}

const [direction = "", version = "", host = "", port = "0", authority = "", count = "0"] =
  process.argv.slice(2);
const total = Number(count);
const down = direction === "down";
const method = down ? "GET" : "POST";
const path = down ? `/bytes?count=${total}` : "/count";
const length = down ? {} : { "content-length": String(total) };

function send(out: http.ClientRequest | Duplex): void {
  if (down) out.end();
  else sendPattern(out, total);
}

function take(answer: Readable): void {
  const check = checksBytes();
  const chunks: Buffer[] = [];
  answer.on("data", (chunk: Buffer) => (down ? check.take(chunk) : chunks.push(chunk)));
  answer.on("end", () => {
    const bulk = down
      ? { bytes: check.bytes, whole: check.whole }
      : (JSON.parse(Buffer.concat(chunks).toString()) as Bulk);
    process.stdout.write(JSON.stringify(bulk), () => process.exit(0));
  });
}

if (version === "h2") {
  const session = http2.connect(`http://${host}:${port}`);
  const head = { ":method": method, ":path": path, ":authority": authority, ...length };
  const stream = session.request(head, { endStream: false });
  take(stream);
  send(stream);
} else {
  const request = http.request({ host, port, method, path, headers: { host: authority, ...length } });
  request.on("response", take);
  send(request);
}
