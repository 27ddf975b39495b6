/** Messages between the keeper of a proxy and one of its shards, over their socket. */
import type { Clock, Socket, SocketHandler } from "../../../runtime/contract.ts";
import { limits } from "../../model/limits.ts";
import { FrameChannel } from "../../policy/protocol.ts";

export interface ShardChannelHandler<In> {
  message(message: In): void;
  /** The other side is gone. Called once. */
  gone(reason: string): void;
}

export class ShardChannel<In, Out> {
  readonly #frames: FrameChannel;

  constructor(
    open: (handler: SocketHandler) => Socket,
    clock: Pick<Clock, "soon">,
    handler: ShardChannelHandler<In>,
  ) {
    const frame = (_kind: number, _first: number, _second: number, text: string): void =>
      handler.message(JSON.parse(text) as In);
    const gone = (reason: string): void => handler.gone(reason);
    this.#frames = new FrameChannel(open, clock, { frame, gone }, limits.shardMessageBytesMax);
  }

  /** Bytes that the other side has not taken yet. */
  get backlogBytes(): number {
    return this.#frames.backlogBytes;
  }

  /** Leaves with everything else of this turn. */
  send(message: Out): void {
    this.#frames.send(0, 0, 0, JSON.stringify(message));
  }

  /** Writes now what waits. */
  flush(): void {
    this.#frames.flush();
  }

  destroy(): void {
    this.#frames.destroy();
  }
}
