/** Descriptors that go from one process to another, over a socket pair of datagrams (SCM_RIGHTS, unix(7)). */
import { DescriptorMessage } from "../../src/base/descriptor_message.ts";
import type { Native } from "../contract.ts";

// From the Linux headers: AF_UNIX, SOCK_DGRAM with SOCK_NONBLOCK and SOCK_CLOEXEC, F_DUPFD_CLOEXEC,
// MSG_DONTWAIT with MSG_NOSIGNAL, MSG_DONTWAIT with MSG_CMSG_CLOEXEC.
const unixFamily = 1;
const nonBlocking = 0o4000 | 0o2000000;
const types = { stream: 1 | nonBlocking, datagrams: 2 | nonBlocking } as const;
const duplicate = 1030;
const sendFlags = 0x40 | 0x4000;
const receiveFlags = 0x40 | 0x40000000;

function library(native: Native) {
  return native.library("libc.so.6", {
    socketpair: { args: ["i32", "i32", "i32", "buffer"], returns: "i32" },
    sendmsg: { args: ["i32", "buffer", "i32"], returns: "i64" },
    recvmsg: { args: ["i32", "buffer", "i32"], returns: "i64" },
    fcntl: { args: ["i32", "i32", "i32"], returns: "i32" },
  });
}

/** Two connected descriptors, of bytes or of datagrams. Both are closed in programs that are started. */
export function socketPair(native: Native, type: keyof typeof types): [number, number] {
  const pair = new Int32Array(2);
  if (library(native).socketpair(unixFamily, types[type], 0, new Uint8Array(pair.buffer)) !== 0)
    throw new Error(`Cannot make a socket pair: errno ${native.errno()}`);
  return [pair[0] ?? -1, pair[1] ?? -1];
}

/** Another descriptor for the same thing. */
export function duplicateOf(native: Native, descriptor: number): number {
  const made = library(native).fcntl(descriptor, duplicate, 3);
  if (made < 0) throw new Error(`Cannot duplicate descriptor ${descriptor}: errno ${native.errno()}`);
  return made;
}

/** False: the other end is gone, or its queue is full. */
export function sendDescriptor(native: Native, socket: number, descriptor: number): boolean {
  const message = messageOf(native);
  message.descriptor = descriptor;
  return library(native).sendmsg(socket, message.header, sendFlags) >= 0;
}

/** Throws when none has come. */
export function receiveDescriptor(native: Native, socket: number): number {
  const message = messageOf(native);
  const came = library(native).recvmsg(socket, message.header, receiveFlags);
  if (came < 0) throw new Error(`No descriptor was handed over: errno ${native.errno()}`);
  if (!message.hasDescriptor)
    throw new Error(`What was handed over is no descriptor (flags ${message.flags})`);
  return message.descriptor;
}

function messageOf(native: Native): DescriptorMessage {
  return new DescriptorMessage((bytes) => native.address(bytes), new Uint8Array(1));
}
