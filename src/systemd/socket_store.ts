/**
 * Listening sockets that the service manager keeps while one process of a service ends and the next one starts (sd_notify(3), FDSTORE=1;
 * sd_listen_fds(3)): who connects meanwhile waits in their queues, and is refused by nobody. It keeps them for that while alone: a
 * process that takes them has them out of the store, so that what fails again and again lets nobody wait.
 */
import type { Native, ProcessHost } from "../../runtime/contract.ts";
import type { Sent } from "./datagram_sender.ts";
import { Notifier } from "./notify.ts";

export interface StoredSocket {
  readonly descriptor: number;
  /** Connections wait there to be accepted, or datagrams to be read. */
  readonly transport: "tcp" | "udp";
  /** Where it is bound. */
  readonly host: string;
  readonly port: number;
}

/** What they are called there. */
const storedName = "heddle-listener";
/** The first descriptor that a service manager hands to what it starts. */
const firstDescriptor = 3;
// From the Linux headers: F_SETFD, FD_CLOEXEC, AF_INET, AF_INET6, SOL_SOCKET, SO_TYPE, SOCK_DGRAM.
const [setFlags, closeInPrograms, family4, family6] = [2, 1, 2, 10] as const;
const [socketLevel, socketType, datagrams] = [1, 3, 2] as const;
/** Of `struct sockaddr_in6`, the larger one. */
const addressBytes = 28;

export class SocketStore {
  readonly #native: Native;
  readonly #host: Pick<ProcessHost, "env" | "pid">;
  readonly #notifier: Notifier;

  constructor(native: Native, host: Pick<ProcessHost, "env" | "pid">) {
    this.#native = native;
    this.#host = host;
    this.#notifier = new Notifier(native, host);
  }

  /** Whether there is a service manager at all. Whether it keeps anything it does not say. */
  get usable(): boolean {
    return this.#notifier.listens;
  }

  /** Those that it kept for this process: to be called once. They are in the store no more. */
  take(): StoredSocket[] {
    const { env, pid } = this.#host;
    const count = Number(env["LISTEN_FDS"] ?? "");
    if (!this.usable || !(count > 0) || Number(env["LISTEN_PID"]) !== pid) return [];
    const names = (env["LISTEN_FDNAMES"] ?? "").split(":");
    const taken: StoredSocket[] = [];
    for (let at = 0; at < count; at++) {
      if (names[at] !== storedName) continue;
      const socket = socketAt(this.#native, firstDescriptor + at);
      if (socket !== null) taken.push(socket);
    }
    this.#notifier.tell("FDSTOREREMOVE=1", `FDNAME=${storedName}`);
    return taken;
  }

  /** It keeps a duplicate. `later`: it has no room now. */
  keep(descriptor: number): Sent {
    return this.#notifier.hand(descriptor, "FDSTORE=1", `FDNAME=${storedName}`);
  }
}

/** What this process was given there, closed in programs that it starts. null: it is bound to no port. */
export function socketAt(native: Native, descriptor: number): StoredSocket | null {
  const { fcntl, getsockname, getsockopt } = native.library("libc.so.6", {
    fcntl: { args: ["i32", "i32", "i32"], returns: "i32" },
    getsockname: { args: ["i32", "buffer", "buffer"], returns: "i32" },
    getsockopt: { args: ["i32", "i32", "i32", "buffer", "buffer"], returns: "i32" },
  });
  fcntl(descriptor, setFlags, closeInPrograms);
  const address = new Uint8Array(addressBytes);
  if (getsockname(descriptor, address, lengthOf(addressBytes)) !== 0) return null;
  const type = new Uint8Array(4);
  if (getsockopt(descriptor, socketLevel, socketType, type, lengthOf(type.length)) !== 0) return null;
  const transport = type[0] === datagrams ? "udp" : "tcp";
  const view = new DataView(address.buffer);
  const [family, port] = [view.getUint16(0, true), view.getUint16(2)];
  if (family === family4) return { descriptor, transport, host: address.subarray(4, 8).join("."), port };
  if (family !== family6) return null;
  const groups = Array.from({ length: 8 }, (_, at) => view.getUint16(8 + 2 * at).toString(16));
  return { descriptor, transport, host: sameHost(groups.join(":")), port };
}

/** A `socklen_t` that the kernel reads and writes. */
function lengthOf(bytes: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(bytes).buffer);
}

/** One writing for each address (RFC 5952). */
export function sameHost(host: string): string {
  return host.includes(":") ? new URL(`http://[${host}]`).hostname.slice(1, -1) : host;
}
