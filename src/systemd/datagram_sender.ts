/** Datagrams to a socket of this machine (unix(7)): what a service manager and its journal read. Nothing here waits. */
import { DescriptorMessage } from "../base/descriptor_message.ts";
import type { Native } from "../../runtime/contract.ts";

// From the Linux headers: AF_UNIX; SOCK_DGRAM with SOCK_NONBLOCK and SOCK_CLOEXEC; MSG_NOSIGNAL; EAGAIN, ENOBUFS.
const unixFamily = 1;
const datagramType = 2 | 0o4000 | 0o2000000;
const noSignal = 0x4000;
const later: ReadonlySet<number> = new Set([11, 105]);
/** What fits into `sun_path` beside its end. */
const pathBytesMax = 107;

/** `later`: its reader has no room now. `never`: nobody reads there, or it takes none of this size. */
export type Sent = "sent" | "later" | "never";

export class DatagramSender {
  readonly #address: Uint8Array | null;
  readonly #native: Native;
  #calls: Calls | null = null;

  /** `name`: a path, or `@` and a name without a file. */
  constructor(native: Native, name: string) {
    this.#native = native;
    this.#address = native.available ? socketAddressOf(name) : null;
  }

  /** Whether such a socket can be reached from here at all. */
  get usable(): boolean {
    return this.#address !== null;
  }

  send(bytes: Uint8Array): Sent {
    return this.#send(bytes.length, ({ sendto }, socket, address) =>
      sendto(socket, bytes, bytes.length, noSignal, address, address.length),
    );
  }

  /** Its reader gets a duplicate of the descriptor with it. */
  sendWith(bytes: Uint8Array, descriptor: number): Sent {
    return this.#send(bytes.length, ({ sendmsg }, socket, address) => {
      const message = new DescriptorMessage((of) => this.#native.address(of), bytes, address);
      message.descriptor = descriptor;
      return sendmsg(socket, message.header, noSignal);
    });
  }

  #send(
    length: number,
    call: (library: Calls["library"], socket: number, address: Uint8Array) => number,
  ): Sent {
    if (this.#address === null) return "never";
    this.#calls ??= this.#open();
    if (this.#calls === null) return "never";
    const { library, socket } = this.#calls;
    if (call(library, socket, this.#address) === length) return "sent";
    return later.has(this.#native.errno()) ? "later" : "never";
  }

  /** null: there is no socket to be had now. */
  #open(): Calls | null {
    const library = libraryOf(this.#native);
    const socket = library.socket(unixFamily, datagramType, 0);
    return socket < 0 ? null : { library, socket };
  }
}

interface Calls {
  readonly library: ReturnType<typeof libraryOf>;
  readonly socket: number;
}

function libraryOf(native: Native) {
  return native.library("libc.so.6", {
    socket: { args: ["i32", "i32", "i32"], returns: "i32" },
    sendto: { args: ["i32", "buffer", "u64", "i32", "buffer", "u32"], returns: "i64" },
    sendmsg: { args: ["i32", "buffer", "i32"], returns: "i64" },
  });
}

/** `struct sockaddr_un`. null: no such socket can be reached from here. */
function socketAddressOf(name: string): Uint8Array | null {
  if (!name.startsWith("/") && !name.startsWith("@")) return null;
  const path = new TextEncoder().encode(name);
  if (path.length < 2 || path.length > pathBytesMax) return null;
  const isAbstract = name.startsWith("@");
  if (isAbstract) path[0] = 0;
  const address = new Uint8Array(2 + path.length + (isAbstract ? 0 : 1));
  new DataView(address.buffer).setUint16(0, unixFamily, true);
  address.set(path, 2);
  return address;
}
