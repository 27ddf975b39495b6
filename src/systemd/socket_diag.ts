/**
 * Questions to the kernel about sockets of TCP, which everybody may ask (NETLINK_SOCK_DIAG, sock_diag(7)). The kernel answers before
 * the call that asks returns, so nothing here waits.
 */
import type { Native } from "../../runtime/contract.ts";

// From the Linux headers, in the order of their use.
const netlinkFamily = 16;
const datagramType = 2 | 0o4000 | 0o2000000;
const sockDiagProtocol = 4;
const sockDiagByFamily = 20;
const requestFlag = 1;
const dumpFlags = 0x300;
const tcpProtocol = 6;
const errorType = 2;
const doneType = 3;

export const inetFamily = 2;
export const inet6Family = 10;
export const listenState = 10;

const headerBytes = 16;
const requestBytes = headerBytes + 56;
/** Of `struct inet_diag_msg`; attributes follow. */
export const messageBytes = 72;
/** What the kernel puts into one answer at most. */
const bufferBytes = 32_768;

/** Within the bytes of a message. */
export const messageFields = {
  state: 1,
  port: 4,
  address: 8,
  user: 64,
  inode: 68,
} as const;

export interface DiagQuestion {
  readonly family: number;
  /** Bits of the states that are meant. */
  readonly states: number;
  /** Of one socket; absent: all of them. */
  readonly ends?: {
    readonly localPort: number;
    readonly remotePort: number;
    readonly local: Uint8Array;
    readonly remote: Uint8Array;
  };
}

type Calls = {
  readonly [Name in "socket" | "send" | "recv" | "close"]: (...values: (number | Uint8Array)[]) => number;
};

export class SocketDiag {
  readonly #native: Pick<Native, "available" | "library">;
  readonly #request = new Uint8Array(requestBytes);
  readonly #answer = new Uint8Array(bufferBytes);
  readonly #view = new DataView(this.#answer.buffer);
  #calls: Calls | null = null;
  #socket = -1;
  #sequence = 0;

  constructor(native: Pick<Native, "available" | "library">) {
    this.#native = native;
  }

  /**
   * `found` hears of each socket by its `inet_diag_msg` and the attributes behind it, good for the call alone. False: the kernel does
   * not tell, or this host has no native calls; what was found may not be all.
   */
  ask(question: DiagQuestion, found: (message: DataView) => void): boolean {
    if (!this.#native.available) return false;
    const calls = (this.#calls ??= this.#load());
    if (this.#socket < 0) this.#socket = calls.socket(netlinkFamily, datagramType, sockDiagProtocol);
    if (this.#socket < 0) return false;
    this.#describe(question);
    const told = calls.send(this.#socket, this.#request, requestBytes, 0) === requestBytes;
    const one = question.ends !== undefined;
    const answered =
      told && (one ? this.#receive(calls, found) !== "broken" : this.#receiveAll(calls, found));
    // What is left of an answer would be taken for that to the next question.
    if (!answered) this.close();
    return answered;
  }

  close(): void {
    if (this.#socket >= 0) this.#calls?.close(this.#socket);
    this.#socket = -1;
  }

  #load(): Calls {
    return this.#native.library("libc.so.6", {
      socket: { args: ["i32", "i32", "i32"], returns: "i32" },
      send: { args: ["i32", "buffer", "u64", "i32"], returns: "i64" },
      recv: { args: ["i32", "buffer", "u64", "i32"], returns: "i64" },
      close: { args: ["i32"], returns: "i32" },
    });
  }

  /** `struct nlmsghdr`, `struct inet_diag_req_v2`. */
  #describe({ family, states, ends }: DiagQuestion): void {
    const request = this.#request.fill(0);
    const view = new DataView(request.buffer);
    view.setUint32(0, requestBytes, true);
    view.setUint16(4, sockDiagByFamily, true);
    view.setUint16(6, requestFlag | (ends === undefined ? dumpFlags : 0), true);
    view.setUint32(8, (this.#sequence = (this.#sequence + 1) >>> 0), true);
    request[16] = family;
    request[17] = tcpProtocol;
    view.setUint32(20, states, true);
    if (ends === undefined) return;
    view.setUint16(24, ends.localPort);
    view.setUint16(26, ends.remotePort);
    request.set(ends.local, 28);
    request.set(ends.remote, 44);
    // Whichever socket it is (INET_DIAG_NOCOOKIE).
    request.fill(0xff, 64, 72);
  }

  #receiveAll(calls: Calls, found: (message: DataView) => void): boolean {
    for (;;) {
      const state = this.#receive(calls, found);
      if (state !== "more") return state === "done";
    }
  }

  /** One datagram of messages. That there is no such socket is an answer, too. */
  #receive(calls: Calls, found: (message: DataView) => void): "more" | "done" | "refused" | "broken" {
    const length = calls.recv(this.#socket, this.#answer, bufferBytes, 0);
    for (let at = 0; at + headerBytes <= length;) {
      const size = this.#view.getUint32(at, true);
      const type = this.#view.getUint16(at + 4, true);
      const asked = this.#view.getUint32(at + 8, true) === this.#sequence;
      if (size < headerBytes || at + size > length || !asked) return "broken";
      if (type === doneType) return this.#errorIn(at + headerBytes, length) === 0 ? "done" : "refused";
      if (type === sockDiagByFamily && size >= headerBytes + messageBytes)
        found(new DataView(this.#answer.buffer, at + headerBytes, size - headerBytes));
      else return type === errorType ? "refused" : "broken";
      at += (size + 3) & ~3;
    }
    return length > 0 ? "more" : "broken";
  }

  #errorIn(at: number, end: number): number {
    return at + 4 <= end ? this.#view.getInt32(at, true) : 0;
  }
}
