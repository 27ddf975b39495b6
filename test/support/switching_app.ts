/**
 * An app of HTTP/1.1 that switches to whatever Upgrade asks for, as careless frameworks do, and behind the switch gives every byte
 * back; any other request is answered with its own body. It keeps the heads that it saw.
 */
import type { Socket, SocketHandler } from "../../runtime/contract.ts";
import { acceptOf } from "../../src/http/upgrade.ts";
import { runtime } from "./planes.ts";

const switching = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n";

export interface SwitchingApp {
  readonly port: number;
  /** Request heads in order, lower case. */
  readonly heads: string[];
  /** What it answers with 101 whatever was asked; null: what was asked. */
  always: string | null;
  close(): void;
}

export function startSwitchingApp(): SwitchingApp {
  const heads: string[] = [];
  const app = { port: 0, heads, always: null as string | null, close: () => {} };
  const listener = runtime.net.listen({ host: "127.0.0.1", port: 0 }, (socket) => new Peer(socket, app));
  app.port = listener.port;
  app.close = () => listener.close();
  return app;
}

class Peer implements SocketHandler {
  #text = "";
  #switched = false;

  constructor(
    readonly socket: Socket,
    readonly app: { readonly heads: string[]; always: string | null },
  ) {}

  data(chunk: Uint8Array): void {
    if (this.#switched) return this.#say(Buffer.from(chunk).toString("latin1"));
    this.#text += Buffer.from(chunk).toString("latin1");
    while (!this.#switched && this.#request()) {}
  }

  /** Answers the next request that is whole. */
  #request(): boolean {
    const end = this.#text.indexOf("\r\n\r\n");
    if (end < 0) return false;
    const raw = this.#text.slice(0, end);
    const head = raw.toLowerCase();
    const key = /\nsec-websocket-key: (.*)(?:\r|$)/i.exec(raw)?.[1];
    const accept = key === undefined ? "" : `sec-websocket-accept: ${acceptOf(key)}\r\n`;
    const length = Number(/\ncontent-length: (\d+)/.exec(head)?.[1] ?? 0);
    const asked = this.app.always ?? /\nupgrade: (.*)(?:\r|$)/.exec(head)?.[1] ?? null;
    const bodyEnd = end + 4 + length;
    if (this.#text.length < bodyEnd) return false;
    const body = this.#text.slice(end + 4, bodyEnd);
    this.#text = this.#text.slice(bodyEnd);
    this.app.heads.push(head);
    this.#switched = asked !== null;
    if (asked === null) this.#say(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    else this.#say(`${switching}upgrade: ${asked}\r\n${accept}\r\n`);
    return true;
  }

  #say(text: string): void {
    this.socket.write(Buffer.from(text, "latin1"));
  }

  drain(): void {}

  end(): void {
    this.socket.destroy();
  }

  close(): void {}
}
