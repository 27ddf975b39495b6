/**
 * Tries from inside what the seal must deny, with arguments that do no harm where it does not. Run once when the seal is
 * on: a host that can still do one of these says so and is not called sealed.
 */
import type { Native } from "../../runtime/contract.ts";
import { numberOf, type SystemCall } from "./system_calls.ts";

type Argument = number | "path" | "zeros";

/** Arguments, by call; all of them fail differently, or succeed, where nothing denies them. */
const attempts: Readonly<Partial<Record<SystemCall, readonly Argument[]>>> = {
  open: ["path", 0],
  openat: [-100, "path", 0],
  openat2: [-100, "path", "zeros", 24],
  creat: ["path", 0],
  stat: ["path", "zeros"],
  readlink: ["path", "zeros", 8],
  readlinkat: [-100, "path", "zeros", 8],
  unlink: ["path"],
  unlinkat: [-100, "path", 0],
  socket: [1, 1, 0],
  connect: [-1, "zeros", 16],
  bind: [-1, "zeros", 16],
  accept: [-1, 0, 0],
  execve: [0, 0, 0],
  execveat: [-1, 0, 0, 0, 0],
  // CLONE_SIGHAND without CLONE_VM: no process comes of it in any case.
  clone: [0x800, 0, 0, 0, 0],
  kill: [0x7ffffffe, 0],
  tgkill: [0x7ffffffe, 0x7ffffffe, 0],
  ptrace: [16, 0x7ffffffe, 0, 0],
  process_vm_readv: [0x7ffffffe, 0, 0, 0, 0, 0],
  pidfd_open: [0x7ffffffe, 0],
  io_uring_setup: [0, 0],
  memfd_create: [0, 0xffff],
  userfaultfd: [0xffff],
  prlimit64: [0x7ffffffe, 0, 0, 0],
  ioctl: [-1, 0, 0],
  sendmsg: [-1, 0, 0],
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
  const { architecture } = native;
  if (architecture === "other") return ["any"];
  return (Object.entries(attempts) as [SystemCall, readonly Argument[]][])
    .filter(([call, args]) => {
      const number = numberOf(call, architecture);
      if (number === null) return false;
      const values = Array.from({ length: 6 }, (_, at) => valueOf(args[at] ?? 0));
      return syscall(number, ...values) !== -1 || !denied.has(native.errno());
    })
    .map(([name]) => name);
}
