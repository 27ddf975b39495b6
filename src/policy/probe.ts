/**
 * Tries from inside what the seal must deny, with arguments that do no harm where it does not. Run once when the seal is
 * on: a host that can still do one of these says so and is not called sealed.
 */
import type { Native } from "../../runtime/contract.ts";

type Argument = number | "path" | "zeros";

/** Numbers of x86-64 with arguments; all of them fail differently, or succeed, where nothing denies them. */
const attempts: Readonly<Record<string, readonly [number: number, ...args: Argument[]]>> = {
  open: [2, "path", 0],
  openat: [257, -100, "path", 0],
  openat2: [437, -100, "path", "zeros", 24],
  creat: [85, "path", 0],
  stat: [4, "path", "zeros"],
  readlink: [89, "path", "zeros", 8],
  unlink: [87, "path"],
  socket: [41, 1, 1, 0],
  connect: [42, -1, "zeros", 16],
  bind: [49, -1, "zeros", 16],
  accept: [43, -1, 0, 0],
  execve: [59, 0, 0, 0],
  execveat: [322, -1, 0, 0, 0, 0],
  // CLONE_SIGHAND without CLONE_VM: no process comes of it in any case.
  clone: [56, 0x800, 0, 0, 0, 0],
  kill: [62, 0x7ffffffe, 0],
  tgkill: [234, 0x7ffffffe, 0x7ffffffe, 0],
  ptrace: [101, 16, 0x7ffffffe, 0, 0],
  process_vm_readv: [310, 0x7ffffffe, 0, 0, 0, 0, 0],
  pidfd_open: [434, 0x7ffffffe, 0],
  io_uring_setup: [425, 0, 0],
  memfd_create: [319, 0, 0xffff],
  userfaultfd: [323, 0xffff],
  prlimit64: [302, 0x7ffffffe, 0, 0, 0],
  ioctl: [16, -1, 0, 0],
  sendmsg: [46, -1, 0, 0],
};

const denied: ReadonlySet<number> = new Set([1, 13]);

/** Names of calls that were not denied; empty under the whole seal. */
export function leaksOf(native: Native): string[] {
  const { syscall } = native.library("libc.so.6", {
    syscall: { args: ["i64", "i64", "i64", "i64", "i64", "i64", "i64"], returns: "i64" },
  });
  const path = new TextEncoder().encode("/proc/self/status\0");
  const zeros = new Uint8Array(256);
  const valueOf = (argument: Argument): number | bigint => {
    if (argument === "path") return native.address(path);
    return argument === "zeros" ? native.address(zeros) : argument;
  };
  return Object.entries(attempts)
    .filter(([, [number, ...args]]) => {
      const values = Array.from({ length: 6 }, (_, at) => valueOf(args[at] ?? 0));
      return syscall(number, ...values) !== -1 || !denied.has(native.errno());
    })
    .map(([name]) => name);
}
