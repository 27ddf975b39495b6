/** Descriptors made by hand, for what inherits or adopts them. */
import type { Runtime } from "../../runtime/contract.ts";

/** What systemd hands over: a socket that was bound and listens already. Nobody accepts until it is adopted. */
export function listeningDescriptor(
  runtime: Runtime,
  backlog: number,
): { readonly descriptor: number; readonly port: number } {
  const libc = runtime.native.library("libc.so.6", {
    socket: { args: ["i32", "i32", "i32"], returns: "i32" },
    bind: { args: ["i32", "buffer", "u32"], returns: "i32" },
    listen: { args: ["i32", "i32"], returns: "i32" },
    getsockname: { args: ["i32", "buffer", "buffer"], returns: "i32" },
  });
  const nonBlocking = 0o4000;
  const descriptor = libc.socket(2, 1 | nonBlocking, 0);
  const address = Uint8Array.of(2, 0, 0, 0, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0);
  if (libc.bind(descriptor, address, 16) !== 0 || libc.listen(descriptor, backlog) !== 0) {
    throw new Error(`Cannot listen: errno ${runtime.native.errno()}`);
  }
  libc.getsockname(descriptor, address, Uint8Array.of(16, 0, 0, 0));
  return { descriptor, port: ((address[2] ?? 0) << 8) | (address[3] ?? 0) };
}
