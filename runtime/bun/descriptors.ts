/** Descriptors that go from one process to another, over a socket pair of datagrams (SCM_RIGHTS, unix(7)). */
import type { Native } from "../contract.ts";

// From the Linux headers: AF_UNIX, SOCK_DGRAM with SOCK_NONBLOCK and SOCK_CLOEXEC, SOL_SOCKET, SCM_RIGHTS, F_DUPFD_CLOEXEC,
// MSG_DONTWAIT with MSG_NOSIGNAL, MSG_DONTWAIT with MSG_CMSG_CLOEXEC.
const unixFamily = 1;
const nonBlocking = 0o4000 | 0o2000000;
const types = { stream: 1 | nonBlocking, datagrams: 2 | nonBlocking } as const;
const [socketLevel, rights] = [1, 1] as const;
const duplicate = 1030;
const sendFlags = 0x40 | 0x4000;
const receiveFlags = 0x40 | 0x40000000;

/** Of struct msghdr, struct iovec and a struct cmsghdr with one descriptor, where words have 64 bits. */
const [headerBytes, vectorBytes, controlBytes] = [56, 16, 24] as const;
/** A control message without its padding. */
const controlLength = 20;

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
  message.control.setInt32(16, descriptor, true);
  return library(native).sendmsg(socket, message.header, sendFlags) >= 0;
}

/** Throws when none has come. */
export function receiveDescriptor(native: Native, socket: number): number {
  const message = messageOf(native);
  const came = library(native).recvmsg(socket, message.header, receiveFlags);
  const isOne =
    message.control.getInt32(8, true) === socketLevel && message.control.getInt32(12, true) === rights;
  const [length, flags] = [message.lengths.getBigUint64(40, true), message.lengths.getInt32(48, true)];
  if (came < 0) throw new Error(`No descriptor was handed over: errno ${native.errno()}`);
  if (!isOne || length < BigInt(controlLength))
    throw new Error(`What was handed over is no descriptor (flags ${flags})`);
  return message.control.getInt32(16, true);
}

/** One byte, and room for one descriptor. */
function messageOf(native: Native) {
  const byte = new Uint8Array(1);
  const vector = new Uint8Array(vectorBytes);
  const control = new Uint8Array(controlBytes);
  const header = new Uint8Array(headerBytes);
  const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer);
  view(vector).setBigUint64(0, native.address(byte), true);
  view(vector).setBigUint64(8, 1n, true);
  view(control).setBigUint64(0, BigInt(controlLength), true);
  view(control).setInt32(8, socketLevel, true);
  view(control).setInt32(12, rights, true);
  view(header).setBigUint64(16, native.address(vector), true);
  view(header).setBigUint64(24, 1n, true);
  view(header).setBigUint64(32, native.address(control), true);
  view(header).setBigUint64(40, BigInt(controlBytes), true);
  // Whoever keeps the header keeps what it points to.
  return { header, lengths: view(header), control: view(control), kept: [byte, vector] };
}
