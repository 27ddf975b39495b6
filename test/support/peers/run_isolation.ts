/**
 * Thousands of exchanges at once whose bodies name them, to be run by Node:
 * `run_isolation.ts <seed> <exchanges> <host> <port> <authority…>`. Of random size; clients read slowly or leave, the server
 * leaves too. Prints how many ended how, and every byte that stood in a body where it did not belong.
 */
import http from "node:http";
import http2 from "node:http2";
import type { Duplex, Readable } from "node:stream";

export interface Isolation {
  readonly whole: number;
  /** Ended early because one side was told to. */
  readonly cut: number;
  readonly foreign: readonly string[];
  readonly failed: readonly string[];
}

interface Plan {
  readonly tag: string;
  readonly bytes: number;
  readonly pieceBytes: number;
  readonly authority: string;
  readonly http2: boolean;
  readonly slow: boolean;
  /** The client leaves after so many bytes of the answer; 0: it stays. */
  readonly leavesAfter: number;
  /** The server does after so many bytes of the request. */
  readonly serverLeavesAfter: number;
}

const [seed = "1", exchanges = "1", host = "", port = "0", ...authorities] = process.argv.slice(2);
const atOnce = 64;
const sessions = Array.from({ length: 4 }, () => http2.connect(`http://${host}:${port}`));
const agent = new http.Agent({ keepAlive: true, maxSockets: atOnce });
let state = Number(seed) >>> 0;
const unit = (): number => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
const below = (limit: number): number => Math.floor(unit() * limit);

/** What stands at `at` of the body with that tag. */
function bodyPart(tag: string, from: number, to: number): Buffer {
  const unitText = `<${tag}>`;
  const skipped = from % unitText.length;
  return Buffer.from(unitText.repeat(Math.ceil((to - from + skipped) / unitText.length))).subarray(
    skipped,
    skipped + to - from,
  );
}

function plan(index: number): Plan {
  const large = unit() < 0.05;
  const bytes = below(large ? 600_000 : 6_000);
  const who = unit();
  return {
    tag: index.toString(36),
    bytes,
    pieceBytes: 1 + below(large ? 60_000 : 3_000),
    authority: authorities[below(authorities.length)] ?? "",
    http2: unit() < 0.5,
    slow: unit() < 0.1,
    leavesAfter: who < 0.08 ? 1 + below(bytes) : 0,
    serverLeavesAfter: who > 0.92 ? 1 + below(bytes) : 0,
  };
}

const result = { whole: 0, cut: 0, foreign: [] as string[], failed: [] as string[] };

function exchange(one: Plan): Promise<void> {
  return new Promise((resolve) => {
    let over = false;
    let got = 0;
    let status = 0;
    const told = one.leavesAfter > 0 || one.serverLeavesAfter > 0;
    const end = (how: string): void => {
      if (over) return;
      over = true;
      if (how === "end" && status === 200 && got === one.bytes) result.whole++;
      else if (told) result.cut++;
      else result.failed.push(`${JSON.stringify(one)}: ${how}, status ${status}, ${got} bytes`);
      resolve();
    };
    const leave = { "x-leave-after": String(one.serverLeavesAfter) };
    const take = (answer: Readable, destroy: () => void): void => {
      answer.on("data", (chunk: Buffer) => {
        if (status === 200 && !chunk.equals(bodyPart(one.tag, got, got + chunk.length)))
          result.foreign.push(
            `${JSON.stringify(one)} at ${got}: ${chunk.subarray(0, 60).toString("latin1")}`,
          );
        got += chunk.length;
        if (one.leavesAfter > 0 && got >= one.leavesAfter) {
          destroy();
          end("left");
        } else if (one.slow) {
          answer.pause();
          setTimeout(() => answer.resume(), 3);
        }
      });
      answer.on("end", () => end("end"));
      answer.on("error", (error) => end(error.message));
      answer.on("aborted", () => end("aborted"));
      answer.on("close", () => end("close"));
    };
    const send = (out: http.ClientRequest | Duplex): void => {
      let sent = 0;
      const pump = (): void => {
        while (sent < one.bytes && !out.destroyed) {
          const to = Math.min(one.bytes, sent + one.pieceBytes);
          const more = out.write(bodyPart(one.tag, sent, to));
          sent = to;
          if (!more) return void out.once("drain", pump);
        }
        out.end();
      };
      pump();
    };
    if (one.http2) {
      const session = sessions[below(sessions.length)] as http2.ClientHttp2Session;
      const stream = session.request({
        ":method": "POST",
        ":path": "/echo",
        ":authority": one.authority,
        ...leave,
      });
      stream.on("response", (head) => (status = Number(head[":status"])));
      take(stream, () => stream.close(http2.constants.NGHTTP2_CANCEL));
      send(stream);
    } else {
      const headers = { host: one.authority, ...leave };
      const request = http.request({ host, port, agent, method: "POST", path: "/echo", headers });
      request.flushHeaders();
      request.on("error", (error) => end(error.message));
      request.on("response", (answer) => {
        status = answer.statusCode ?? 0;
        take(answer, () => request.destroy());
      });
      send(request);
    }
  });
}

let next = 0;
await Promise.all(
  Array.from({ length: atOnce }, async () => {
    while (next < Number(exchanges)) await exchange(plan(next++));
  }),
);
process.stdout.write(JSON.stringify(result), () => process.exit(0));
