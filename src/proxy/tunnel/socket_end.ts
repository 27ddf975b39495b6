/** A socket as one end of an opaque connection. What the kernel does not take waits here; meanwhile the other end is paused. */
import type { Socket, SocketError, SocketHandler } from "../../../runtime/contract.ts";
import type { Outcome } from "../../model/outcome.ts";
import { copyBytes, letGo } from "../../base/bytes.ts";
import { Hoard, type Hoarder } from "../../http/buffered.ts";
import { PipeEnd, type Pipe } from "./pipe.ts";

/** What was read from a socket before it became an end. */
export interface EarlyInput {
  readonly bytes: Uint8Array | null;
  /** Its FIN was seen. */
  readonly ended: boolean;
}

export class SocketEnd extends PipeEnd implements SocketHandler, Hoarder {
  #pending: Uint8Array | null = null;
  #hoard: Hoard | null = null;
  #finOwed = false;

  constructor(
    readonly socket: Socket,
    /** Who is at fault when it breaks. */
    readonly side: "downstream" | "upstream",
    private early: EarlyInput | null = null,
  ) {
    super();
  }

  begin(): void {
    this.socket.handler = this;
    const { early } = this;
    this.early = null;
    this.socket.resume();
    if (early === null) return;
    if (early.bytes !== null && early.bytes.length > 0) this.received(early.bytes, 0, early.bytes.length);
    if (early.ended) this.receivedAll();
  }

  take(bytes: Uint8Array, start: number, end: number): boolean {
    const taken = this.#pending === null ? this.socket.write(bytes, start, end) : 0;
    if (taken === end - start || taken < 0) return true;
    this.#pending = joined(this.#pending, bytes, start + taken, end);
    this.#weigh();
    return false;
  }

  #weigh(): void {
    const bytes = this.#pending?.buffer.byteLength ?? 0;
    if (bytes > 0 || this.#hoard !== null)
      this.pipe?.owner.shard.buffered.weigh((this.#hoard ??= new Hoard(this)), bytes);
  }

  giveWay(limit: string): void {
    this.#pending = null;
    this.#weigh();
    this.pipe?.giveWay(this, limit);
  }

  finish(): void {
    if (this.#pending === null) this.socket.shutdown();
    else this.#finOwed = true;
  }

  reset(): void {
    this.socket.reset();
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  data(chunk: Uint8Array): void {
    const { shard } = (this.pipe as Pipe).owner;
    shard.enter();
    this.received(chunk, 0, chunk.length);
    shard.leave();
  }

  drain(): void {
    const pending = this.#pending;
    if (pending === null) return;
    const taken = this.socket.write(pending);
    if (taken >= 0 && taken < pending.length) {
      this.#pending = pending.subarray(taken);
      if (taken > 0 && this.#hoard !== null) this.pipe?.owner.shard.buffered.moved(this.#hoard);
      return;
    }
    this.#pending = null;
    letGo(pending);
    this.#weigh();
    if (this.#finOwed) this.socket.shutdown();
    else this.hasRoom();
  }

  end(): void {
    this.receivedAll();
  }

  close(error: SocketError | null): void {
    this.#pending = null;
    this.#weigh();
    this.gone(brokenSocket(error, this.side));
  }
}

function joined(before: Uint8Array | null, bytes: Uint8Array, start: number, end: number): Uint8Array {
  if (before === null) return bytes.slice(start, end);
  const all = new Uint8Array(before.length + end - start);
  all.set(before);
  copyBytes(all, before.length, bytes, start, end);
  return all;
}

/** How a connection ended that broke; null for an orderly end. */
export function brokenSocket(error: SocketError | null, side: SocketEnd["side"]): Outcome | null {
  if (error === null) return null;
  const upstream = side === "upstream";
  const detail = `the connection ${upstream ? "to the service" : "of the client"} broke: ${error.message}`;
  return { flag: upstream ? "UR" : "DC", side, repeat: "no", status: 0, detail };
}
