/** An accepted connection that waits, paused, for somewhere to lead: it only notices that the client leaves. */
import type { Socket, SocketError, SocketHandler } from "../../runtime/contract.ts";
import type { Outcome } from "../model/outcome.ts";

export class WaitingSocket implements SocketHandler {
  /** Called once when the client leaves first. */
  left: ((outcome: Outcome) => void) | null = null;
  /** Nobody is there any more. */
  gone = false;

  constructor(readonly socket: Socket) {
    socket.pause();
  }

  /** It leads nowhere: the client sees a reset, never an empty but complete stream. */
  refuse(): void {
    this.left = null;
    this.socket.reset();
  }

  data(): void {}
  drain(): void {}
  end(): void {}

  close(error: SocketError | null): void {
    this.gone = true;
    this.left?.(brokenPipe(error) ?? clientLeft);
    this.left = null;
  }
}

const clientLeft: Outcome = {
  flag: "DC",
  side: "downstream",
  repeat: "no",
  status: 0,
  detail: "the client closed the connection before it led anywhere",
};

/** How an opaque connection ended that broke; null for an orderly end. */
export function brokenPipe(error: SocketError | null): Outcome | null {
  if (error === null) return null;
  return {
    flag: "UR",
    side: "upstream",
    repeat: "no",
    status: 0,
    detail: `the connection broke: ${error.message}`,
  };
}
