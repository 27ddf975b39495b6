/** The other end of an HTTP/2 connection that keeps nothing of what comes: how many frames of each type, and the last GOAWAY. */
import type { Socket, SocketHandler } from "../../runtime/contract.ts";
import { frameTypes, get32 } from "../../src/wire/h2/frames.ts";
import { concat } from "./h2_frames.ts";

const headBytes = 9;

export class H2Counter implements SocketHandler {
  closed = false;
  goaway: number | null = null;
  readonly #counts = new Map<number, number>();
  #rest: Uint8Array = new Uint8Array(0);
  #room: (() => void) | null = null;

  constructor(readonly socket: Socket) {}

  count(type: number): number {
    return this.#counts.get(type) ?? 0;
  }

  get over(): boolean {
    return this.closed || this.goaway !== null;
  }

  /** All of it, as the kernel takes it; less when the connection ends meanwhile. */
  async send(bytes: Uint8Array): Promise<void> {
    for (let sent = 0; sent < bytes.length && !this.over;) {
      const took = this.socket.write(bytes, sent);
      if (took < 0) return;
      sent += took;
      if (sent < bytes.length) await new Promise<void>((resolve) => (this.#room = resolve));
    }
  }

  data(chunk: Uint8Array): void {
    const bytes = concat(this.#rest, chunk);
    let at = 0;
    while (at + headBytes <= bytes.length) {
      const end = at + headBytes + (get32(bytes, at) >>> 8);
      if (end > bytes.length) break;
      const type = bytes[at + 3] as number;
      this.#counts.set(type, this.count(type) + 1);
      if (type === frameTypes.goaway) this.goaway = get32(bytes, at + headBytes + 4);
      at = end;
    }
    this.#rest = bytes.slice(at);
    if (this.over) this.drain();
  }

  drain(): void {
    this.#room?.();
  }

  end(): void {
    this.socket.shutdown();
  }

  close(): void {
    this.closed = true;
    this.drain();
  }
}
