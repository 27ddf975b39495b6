/** A socket that tells when it is gone, whoever its handler is by then. */
import type { Socket, SocketHandler } from "../../../runtime/contract.ts";

export class CountedSocket implements Socket {
  handler: SocketHandler = unheard;
  /** What the socket itself calls. */
  readonly outer: SocketHandler;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localPort: number;
  readonly tls: Socket["tls"];

  constructor(
    readonly socket: Socket,
    gone: () => void,
    /** Where it comes from, where its peer relays it. */
    from: Pick<Socket, "remoteAddress" | "remotePort"> = socket,
  ) {
    this.remoteAddress = from.remoteAddress;
    this.remotePort = from.remotePort;
    this.localPort = socket.localPort;
    this.tls = socket.tls;
    this.outer = {
      data: (chunk) => this.handler.data(chunk),
      drain: () => this.handler.drain(),
      end: () => this.handler.end(),
      close: (error) => {
        gone();
        this.handler.close(error);
      },
    };
  }

  write(bytes: Uint8Array, start?: number, end?: number): number {
    return this.socket.write(bytes, start, end);
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  limitInput(bytes: number): void {
    this.socket.limitInput(bytes);
  }

  shutdown(): void {
    this.socket.shutdown();
  }

  destroy(): void {
    this.socket.destroy();
  }

  reset(): void {
    this.socket.reset();
  }
}

const unheard: SocketHandler = { data() {}, drain() {}, end() {}, close() {} };
