/**
 * Who made the socket at the other end of a local connection: its cgroup and user, as the kernel tells everybody by NETLINK_SOCK_DIAG
 * (sock_diag(7); INET_DIAG_CGROUP_ID since Linux 5.9). Two system calls for each question, which the kernel answers before the first returns.
 */
import type { Native } from "../../runtime/contract.ts";
import {
  inet6Family,
  inetFamily,
  listenState,
  messageBytes,
  messageFields,
  SocketDiag,
} from "./socket_diag.ts";

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

const cgroupAttribute = 21;
const anyState = 0xffffffff;

export class SocketOwners {
  readonly #diag: SocketDiag;

  constructor(native: Pick<Native, "available" | "library">) {
    this.#diag = new SocketDiag(native);
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

  close(): void {
    this.#diag.close();
  }

  #ask({ localAddress, localPort, remoteAddress, remotePort }: ConnectionEnds, listens: boolean) {
    const [local, remote] = [addressBytes(localAddress), addressBytes(remoteAddress)];
    if (local === null || remote === null || local.length !== remote.length) return null;
    const family = local.length === 4 ? inetFamily : inet6Family;
    let owner: SocketOwner | null = null;
    this.#diag.ask(
      { family, states: anyState, ends: { localPort, remotePort, local, remote } },
      (message) => {
        // Where no connection has these ends, the kernel shows what listens at the port.
        if ((message.getUint8(messageFields.state) === listenState) === listens) owner = ownerIn(message);
      },
    );
    return owner;
  }
}

function ownerIn(message: DataView): SocketOwner | null {
  for (let at = messageBytes; at + 4 <= message.byteLength;) {
    const size = message.getUint16(at, true);
    if (size < 4 || at + size > message.byteLength) return null;
    if (message.getUint16(at + 2, true) === cgroupAttribute && size >= 12)
      return {
        cgroup: Number(message.getBigUint64(at + 4, true)),
        user: message.getUint32(messageFields.user, true),
      };
    at += (size + 3) & ~3;
  }
  return null;
}

/** In the order of the wire; an IPv4 address that is written as one of IPv6 is one of IPv4. null: no IP address. */
function addressBytes(text: string): Uint8Array | null {
  const plain = text.startsWith("::ffff:") && text.includes(".") ? text.slice(7) : text;
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(plain)) return Uint8Array.from(plain.split("."), Number);
  return plain.includes(":") ? ipv6Bytes(plain) : null;
}

/** Groups of two bytes; `::` stands for as many of zero as are missing (RFC 4291 section 2.2). */
function ipv6Bytes(text: string): Uint8Array | null {
  const [before = "", after = null, ...more] = text.split("::");
  const groupsIn = (part: string): string[] => (part === "" ? [] : part.split(":"));
  const [first, last] = [groupsIn(before), groupsIn(after ?? "")];
  const missing = 8 - first.length - last.length;
  if (more.length > 0 || (after === null ? missing !== 0 : missing < 1)) return null;
  const groups = [...first, ...Array.from({ length: missing }, () => "0"), ...last];
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return null;
  return Uint8Array.from(
    groups.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff]),
  );
}
