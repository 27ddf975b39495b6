/** WebSocket frames by hand (RFC 6455 section 5), so that a case can send what no library would. */
import { createHash } from "node:crypto";
import http from "node:http";
import http2 from "node:http2";
import type { Duplex } from "node:stream";

export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface Frame {
  readonly opcode: number;
  readonly payload: Buffer;
  readonly last?: boolean;
  /** The three reserved bits. */
  readonly reserved?: number;
}

const mask = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);

export function encodeFrame({ opcode, payload, last = true, reserved = 0 }: Frame): Buffer {
  const { length } = payload;
  const extra = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const head = Buffer.alloc(2 + extra);
  head[0] = (last ? 0x80 : 0) | (reserved << 4) | opcode;
  head[1] = 0x80 | (extra === 0 ? length : extra === 2 ? 126 : 127);
  if (extra === 2) head.writeUInt16BE(length, 2);
  if (extra === 8) head.writeBigUInt64BE(BigInt(length), 2);
  const masked = Buffer.alloc(length);
  for (let at = 0; at < length; at++) masked[at] = (payload[at] as number) ^ (mask[at & 3] as number);
  return Buffer.concat([head, mask, masked]);
}

/** A frame of a server as a short line: what it is, how long, and its bytes or their digest. */
function describe(opcode: number, last: boolean, payload: Buffer): string {
  const text =
    payload.length <= 16 ? payload.toString("hex") : createHash("sha1").update(payload).digest("hex");
  return `${opcode}${last ? "" : "+"} ${payload.length} ${text}`;
}

/** Reads frames of a server until the stream is over. */
export class FrameReader {
  readonly lines: string[] = [];
  closed = false;
  #rest = Buffer.alloc(0);

  take(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    for (;;) {
      const rest = this.#rest;
      if (rest.length < 2) return;
      const short = (rest[1] as number) & 127;
      const extra = short < 126 ? 0 : short === 126 ? 2 : 8;
      if (rest.length < 2 + extra) return;
      const length =
        extra === 0 ? short : extra === 2 ? rest.readUInt16BE(2) : Number(rest.readBigUInt64BE(2));
      const end = 2 + extra + length;
      if (rest.length < end) return;
      const first = rest[0] as number;
      this.lines.push(describe(first & 15, first >= 0x80, rest.subarray(2 + extra, end)));
      if ((first & 15) === opcodes.close) this.closed = true;
      this.#rest = rest.subarray(end);
    }
  }
}

const key = "dGhlIHNhbXBsZSBub25jZQ==";
const handshake = { "sec-websocket-version": "13" };

export type Way = "http/1.1" | "h2";

/** A WebSocket's stream of bytes, after the handshake. */
export function openSocket(way: Way, host: string, port: number, authority: string): Promise<Duplex> {
  return way === "h2" ? extendedConnect(host, port, authority) : upgrade(host, port, authority);
}

function upgrade(host: string, port: number, authority: string): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const headers = {
      ...handshake,
      host: authority,
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-key": key,
    };
    const request = http.get({ host, port, path: "/socket", headers });
    request.on("upgrade", (response, socket, head) => {
      // RFC 6455 section 1.3 has this key and its answer.
      if (response.headers["sec-websocket-accept"] !== "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        return reject(new Error("the key was answered wrongly"));
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
    });
    request.on("response", ({ statusCode }) => reject(new Error(`answered ${statusCode}`)));
    request.on("error", reject);
  });
}

/** RFC 8441. */
function extendedConnect(host: string, port: number, authority: string): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const session = http2.connect(`http://${host}:${port}`);
    session.on("error", reject);
    session.on("remoteSettings", ({ enableConnectProtocol }) => {
      if (enableConnectProtocol !== true) return reject(new Error("Extended CONNECT is not offered"));
      const stream = session.request(
        {
          ...handshake,
          ":method": "CONNECT",
          ":protocol": "websocket",
          ":scheme": "http",
          ":path": "/socket",
          ":authority": authority,
        },
        { endStream: false },
      );
      stream.on("response", ({ ":status": status }) => {
        if (status === 200) resolve(stream);
        else reject(new Error(`answered ${status}`));
      });
      stream.on("error", reject);
      stream.on("close", () => session.close());
    });
  });
}
