/**
 * Who made the socket at the other end of a local connection: its cgroup and user, as the kernel tells everybody by NETLINK_SOCK_DIAG
 * (sock_diag(7); INET_DIAG_CGROUP_ID since Linux 5.9). Two system calls for each question, which the kernel answers before the first returns.
 */
import type { Native } from "../../runtime/contract.ts";

/** Of a TCP connection, seen from the socket that is meant. */
export interface ConnectionEnds {
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
}

export interface SocketOwner {
  /** Of the unified hierarchy: the inode number of its folder. It stays the one in which the socket was made. */
  readonly cgroup: number;
  readonly user: number;
}

// From the Linux headers, in the order of their use.
const netlinkFamily = 16;
const datagramType = 2 | 0o4000 | 0o2000000;
const sockDiagProtocol = 4;
const sockDiagByFamily = 20;
const requestFlag = 1;
const inetFamily = 2;
const inet6Family = 10;
const tcpProtocol = 6;
const listenState = 10;
const cgroupAttribute = 21;

const headerBytes = 16;
const requestBytes = headerBytes + 56;
/** `struct inet_diag_msg` behind the header; attributes follow. */
const answerBytes = headerBytes + 72;
/** Far more than an answer has. */
const bufferBytes = 1_024;

type Calls = {
  readonly [Name in "socket" | "send" | "recv" | "close"]: (...values: (number | Uint8Array)[]) => number;
};

export class SocketOwners {
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

  /** null: the kernel knows no such socket any more, does not tell, or this host has no native calls. */
  of(ends: ConnectionEnds): SocketOwner | null {
    return this.#ask(ends, false);
  }

  /** Of what listens at this port on all addresses. */
  listening(port: number): SocketOwner | null {
    const nowhere = "0.0.0.0";
    return this.#ask({ localAddress: nowhere, localPort: port, remoteAddress: nowhere, remotePort: 0 }, true);
  }

  #ask(ends: ConnectionEnds, listens: boolean): SocketOwner | null {
    if (!this.#native.available || !this.#describe(ends)) return null;
    const calls = (this.#calls ??= this.#load());
    if (this.#socket < 0) this.#socket = calls.socket(netlinkFamily, datagramType, sockDiagProtocol);
    if (this.#socket < 0) return null;
    const sent = calls.send(this.#socket, this.#request, requestBytes, 0);
    const length = sent === requestBytes ? calls.recv(this.#socket, this.#answer, bufferBytes, 0) : -1;
    const owner = length < 0 ? null : this.#read(length, listens);
    // An answer to another question: the next ones would be, too.
    if (owner === undefined || length < 0) this.close();
    return owner ?? null;
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

  /** `struct nlmsghdr`, `struct inet_diag_req_v2`. False: these are no addresses of one family. */
  #describe({ localAddress, localPort, remoteAddress, remotePort }: ConnectionEnds): boolean {
    const [local, remote] = [addressBytes(localAddress), addressBytes(remoteAddress)];
    if (local === null || remote === null || local.length !== remote.length) return false;
    const request = this.#request.fill(0);
    const view = new DataView(request.buffer);
    view.setUint32(0, requestBytes, true);
    view.setUint16(4, sockDiagByFamily, true);
    view.setUint16(6, requestFlag, true);
    view.setUint32(8, (this.#sequence = (this.#sequence + 1) >>> 0), true);
    request[16] = local.length === 4 ? inetFamily : inet6Family;
    request[17] = tcpProtocol;
    view.setUint32(20, 0xffffffff, true);
    view.setUint16(24, localPort);
    view.setUint16(26, remotePort);
    request.set(local, 28);
    request.set(remote, 44);
    // Whichever socket it is (INET_DIAG_NOCOOKIE).
    request.fill(0xff, 64, 72);
    return true;
  }

  /** undefined: it answers something else. */
  #read(length: number, listens: boolean): SocketOwner | null | undefined {
    const view = this.#view;
    if (length < headerBytes || view.getUint32(8, true) !== this.#sequence) return undefined;
    // NLMSG_ERROR: there is none.
    if (view.getUint16(4, true) !== sockDiagByFamily || length < answerBytes) return null;
    // Where no connection has these ends, the kernel shows what listens at the port.
    if ((this.#answer[headerBytes + 1] === listenState) !== listens) return null;
    for (let at = answerBytes; at + 4 <= length;) {
      const size = view.getUint16(at, true);
      if (size < 4 || at + size > length) return null;
      if (view.getUint16(at + 2, true) === cgroupAttribute && size >= 12)
        return {
          cgroup: Number(view.getBigUint64(at + 4, true)),
          user: view.getUint32(headerBytes + 64, true),
        };
      at += (size + 3) & ~3;
    }
    return null;
  }
}

/** In the order of the wire; an IPv4 address that is written as one of IPv6 is one of IPv4. null: no IP address. */
function addressBytes(text: string): Uint8Array | null {
  const plain = text.startsWith("::ffff:") && text.includes(".") ? text.slice(7) : text;
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(plain)) return Uint8Array.from(plain.split("."), Number);
  return plain === "::1" ? Uint8Array.from({ length: 16 }, (_, at) => (at === 15 ? 1 : 0)) : null;
}
