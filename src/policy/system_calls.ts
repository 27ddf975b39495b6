/**
 * Numbers of system calls, by processor (arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h of Linux). arm64 has
 * none of the older calls that newer ones replaced: what is null there cannot be made, so nothing needs to deny it.
 */
import type { Native } from "../../runtime/contract.ts";

/** Those that heddle's seal has tables for. */
export type Architecture = Exclude<Native["architecture"], "other">;

const numbers = {
  accept: { x64: 43, arm64: 202 },
  bind: { x64: 49, arm64: 200 },
  brk: { x64: 12, arm64: 214 },
  clock_getres: { x64: 229, arm64: 114 },
  clock_gettime: { x64: 228, arm64: 113 },
  clock_nanosleep: { x64: 230, arm64: 115 },
  clone: { x64: 56, arm64: 220 },
  clone3: { x64: 435, arm64: 435 },
  close: { x64: 3, arm64: 57 },
  connect: { x64: 42, arm64: 203 },
  creat: { x64: 85, arm64: null },
  epoll_create1: { x64: 291, arm64: 20 },
  epoll_ctl: { x64: 233, arm64: 21 },
  epoll_pwait: { x64: 281, arm64: 22 },
  epoll_pwait2: { x64: 441, arm64: 441 },
  epoll_wait: { x64: 232, arm64: null },
  eventfd2: { x64: 290, arm64: 19 },
  execve: { x64: 59, arm64: 221 },
  execveat: { x64: 322, arm64: 281 },
  exit: { x64: 60, arm64: 93 },
  exit_group: { x64: 231, arm64: 94 },
  fcntl: { x64: 72, arm64: 25 },
  futex: { x64: 202, arm64: 98 },
  getcpu: { x64: 309, arm64: 168 },
  getcwd: { x64: 79, arm64: 17 },
  getdents64: { x64: 217, arm64: 61 },
  getpid: { x64: 39, arm64: 172 },
  getrandom: { x64: 318, arm64: 278 },
  getrusage: { x64: 98, arm64: 165 },
  gettid: { x64: 186, arm64: 178 },
  gettimeofday: { x64: 96, arm64: 169 },
  io_uring_setup: { x64: 425, arm64: 425 },
  ioctl: { x64: 16, arm64: 29 },
  kill: { x64: 62, arm64: 129 },
  madvise: { x64: 28, arm64: 233 },
  membarrier: { x64: 324, arm64: 283 },
  memfd_create: { x64: 319, arm64: 279 },
  mmap: { x64: 9, arm64: 222 },
  mprotect: { x64: 10, arm64: 226 },
  mremap: { x64: 25, arm64: 216 },
  munmap: { x64: 11, arm64: 215 },
  nanosleep: { x64: 35, arm64: 101 },
  newfstatat: { x64: 262, arm64: 79 },
  open: { x64: 2, arm64: null },
  openat: { x64: 257, arm64: 56 },
  openat2: { x64: 437, arm64: 437 },
  pidfd_open: { x64: 434, arm64: 434 },
  prctl: { x64: 157, arm64: 167 },
  prlimit64: { x64: 302, arm64: 261 },
  process_vm_readv: { x64: 310, arm64: 270 },
  ptrace: { x64: 101, arm64: 117 },
  read: { x64: 0, arm64: 63 },
  readlink: { x64: 89, arm64: null },
  readlinkat: { x64: 267, arm64: 78 },
  recvfrom: { x64: 45, arm64: 207 },
  restart_syscall: { x64: 219, arm64: 128 },
  rseq: { x64: 334, arm64: 293 },
  rt_sigaction: { x64: 13, arm64: 134 },
  rt_sigprocmask: { x64: 14, arm64: 135 },
  rt_sigreturn: { x64: 15, arm64: 139 },
  rt_sigsuspend: { x64: 130, arm64: 133 },
  sched_getaffinity: { x64: 204, arm64: 123 },
  sched_yield: { x64: 24, arm64: 124 },
  seccomp: { x64: 317, arm64: 277 },
  sendmsg: { x64: 46, arm64: 211 },
  sendto: { x64: 44, arm64: 206 },
  set_robust_list: { x64: 273, arm64: 99 },
  shutdown: { x64: 48, arm64: 210 },
  sigaltstack: { x64: 131, arm64: 132 },
  socket: { x64: 41, arm64: 198 },
  stat: { x64: 4, arm64: null },
  statx: { x64: 332, arm64: 291 },
  tgkill: { x64: 234, arm64: 131 },
  unlink: { x64: 87, arm64: null },
  unlinkat: { x64: 263, arm64: 35 },
  userfaultfd: { x64: 323, arm64: 282 },
  write: { x64: 1, arm64: 64 },
} as const satisfies Readonly<Record<string, Readonly<Record<Architecture, number | null>>>>;

export type SystemCall = keyof typeof numbers;

/** @visibleForTesting */
export const systemCalls = Object.keys(numbers) as readonly SystemCall[];

/** null: this processor has no such call. */
export function numberOf(call: SystemCall, architecture: Architecture): number | null {
  return numbers[call][architecture];
}

/** Of one that every processor has. */
export function numberOfEvery(
  call: { [Name in SystemCall]: (typeof numbers)[Name]["arm64"] extends number ? Name : never }[SystemCall],
  architecture: Architecture,
): number {
  return numbers[call][architecture];
}

/** As the kernel tells a filter (linux/audit.h). */
export const auditNumbers: Readonly<Record<Architecture, number>> = { x64: 0xc000003e, arm64: 0xc00000b7 };

/** O_DIRECTORY of open(2): the same bit says something else on the other. */
export const openDirectory: Readonly<Record<Architecture, number>> = { x64: 0o200000, arm64: 0o40000 };
