/** The other end of an HTTP/2 connection, by hand: sends bytes as they are told, keeps the frames that come. */
import type { Listener, Runtime, Socket } from "../../runtime/contract.ts";
import { frameTypes, get32 } from "../../src/wire/h2/frames.ts";
import { concat, framesIn, type Frame } from "./h2_frames.ts";
import { until } from "./sockets.ts";
import { hangMs } from "./patience.ts";

export class H2Peer {
  received: Uint8Array = new Uint8Array(0);
  closed = false;
  ended = false;

  constructor(readonly socket: Socket) {}

  send(...parts: readonly Uint8Array[]): void {
    this.socket.write(concat(...parts));
  }

  get frames(): Frame[] {
    return framesIn(this.received);
  }

  of(type: number, streamId?: number): Frame[] {
    return this.frames.filter(
      (each) => each.type === type && (streamId === undefined || each.streamId === streamId),
    );
  }

  /** Error code of the last GOAWAY; null when there was none. */
  get goaway(): number | null {
    const last = this.of(frameTypes.goaway).at(-1);
    return last === undefined ? null : get32(last.payload, 4);
  }

  /** Error code of the reset of a stream; null when there was none. */
  resetOf(streamId: number): number | null {
    const [first] = this.of(frameTypes.rstStream, streamId);
    return first === undefined ? null : get32(first.payload, 0);
  }

  until(condition: (peer: H2Peer) => boolean, sentence: string): Promise<void> {
    return until(() => condition(this), sentence);
  }

  data(chunk: Uint8Array): void {
    this.received = concat(this.received, chunk);
  }

  drain(): void {}

  end(): void {
    this.ended = true;
    this.socket.shutdown();
  }

  close(): void {
    this.closed = true;
  }
}

export function dialPeer(runtime: Pick<Runtime, "net">, port: number): Promise<H2Peer> {
  return new Promise((resolve, reject) => {
    runtime.net.connect(
      { host: "127.0.0.1", port, timeoutMs: hangMs },
      {
        opened(socket) {
          const peer = new H2Peer(socket);
          resolve(peer);
          return peer;
        },
        failed: (error) => reject(new Error(error.message)),
      },
    );
  });
}

/** A server by hand: the peers that connected, in order. */
export function listenPeer(runtime: Pick<Runtime, "net">): {
  listener: Listener;
  port: number;
  peers: H2Peer[];
} {
  const peers: H2Peer[] = [];
  const listener = runtime.net.listen({ host: "127.0.0.1", port: 0 }, (socket) => {
    const peer = new H2Peer(socket);
    peers.push(peer);
    return peer;
  });
  return { listener, port: listener.port, peers };
}
