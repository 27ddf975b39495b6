/**
 * Ports that are bound by the C library: whether an address can be had is told at once, and one may be bound on which nobody listens
 * yet, so that who connects goes to others that listen there (SO_REUSEPORT, socket(7)).
 */
import { isIP, isIPv6 } from "node:net";
import type { BindOptions, Native } from "../contract.ts";

// From the Linux headers.
const [ipv4, ipv6] = [2, 10];
const streamType = 1 | 0o4000 | 0o2000000;
const [socketLevel, reuseAddress, reusePort] = [1, 2, 15];
const backlog = 512;

/** The errors of bind(2) and socket(2) by their numbers. */
const codes: Readonly<Record<number, string>> = {
  1: "EPERM",
  13: "EACCES",
  24: "EMFILE",
  97: "EAFNOSUPPORT",
  98: "EADDRINUSE",
  99: "EADDRNOTAVAIL",
};

export interface Listening {
  readonly descriptor: number;
  readonly port: number;
}

class BindError extends Error {
  constructor(
    readonly code: string,
    call: string,
  ) {
    super(`${call} failed`);
  }
}

export function createListening(native: Native) {
  let libc: ReturnType<typeof load> | null = null;
  const load = () =>
    native.library("libc.so.6", {
      socket: { args: ["i32", "i32", "i32"], returns: "i32" },
      setsockopt: { args: ["i32", "i32", "i32", "buffer", "u32"], returns: "i32" },
      bind: { args: ["i32", "buffer", "u32"], returns: "i32" },
      listen: { args: ["i32", "i32"], returns: "i32" },
      getsockname: { args: ["i32", "buffer", "buffer"], returns: "i32" },
      close: { args: ["i32"], returns: "i32" },
    });

  /** Throws with the system's `code`. */
  return ({ host, port, reusePort: shared = false, listens = true }: BindOptions): Listening => {
    libc ??= load();
    // What it loads for itself at first changes the number of the last error.
    native.errno();
    const { socket, setsockopt, bind, listen, getsockname, close } = libc;
    const address = socketAddressOf(host, port);
    const descriptor = socket(address[0] as number, streamType, 0);
    const done = (call: string, result: number): void => {
      if (result >= 0) return;
      const errno = native.errno();
      if (descriptor >= 0) close(descriptor);
      throw new BindError(codes[errno] ?? `errno ${errno}`, call);
    };
    done("socket", descriptor);
    const on = Uint8Array.of(1, 0, 0, 0);
    done("setsockopt", setsockopt(descriptor, socketLevel, reuseAddress, on, on.length));
    if (shared) done("setsockopt", setsockopt(descriptor, socketLevel, reusePort, on, on.length));
    done("bind", bind(descriptor, address, address.length));
    if (listens) done("listen", listen(descriptor, backlog));
    done("getsockname", getsockname(descriptor, address, Uint8Array.of(address.length, 0, 0, 0)));
    return { descriptor, port: ((address[2] as number) << 8) | (address[3] as number) };
  };
}

/** `struct sockaddr_in` or `sockaddr_in6`. */
function socketAddressOf(host: string, port: number): Uint8Array {
  if (isIP(host) === 0) throw new BindError("EINVAL", `"${host}" is no IP address: bind`);
  const bytes = new Uint8Array(isIPv6(host) ? 28 : 16);
  bytes[0] = isIPv6(host) ? ipv6 : ipv4;
  bytes[2] = port >>> 8;
  bytes[3] = port & 255;
  if (isIPv6(host)) bytes.set(ipv6Bytes(host), 8);
  else bytes.set(host.split(".").map(Number), 4);
  return bytes;
}

function ipv6Bytes(host: string): number[] {
  // The URL parser writes every address in one form, without dots.
  const written = new URL(`http://[${host}]/`).hostname.slice(1, -1);
  const [before = "", after] = written.split("::");
  const groups = (text: string): string[] => (text === "" ? [] : text.split(":"));
  const [head, tail] = [groups(before), groups(after ?? "")];
  const zeros = new Array<string>(8 - head.length - tail.length).fill("0");
  return [...head, ...zeros, ...tail].flatMap((group) => {
    const value = Number.parseInt(group, 16);
    return [value >>> 8, value & 255];
  });
}
