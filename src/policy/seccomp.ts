/**
 * Second half of the seal: a filter over system calls for every thread of this process and those to come. An allow-list:
 * what is not named fails with EPERM. No file can be opened, no socket made or connected, nothing run, traced or signalled
 * outside of this process; what stays is memory, threads, time, and reading and writing what is open already.
 */
import type { Native } from "../../runtime/contract.ts";

/** Numbers of x86-64; what came often in a trace stands first. */
const allowed: Readonly<Record<string, number>> = {
  futex: 202,
  epoll_pwait2: 441,
  recvfrom: 45,
  sendto: 44,
  read: 0,
  write: 1,
  madvise: 28,
  rt_sigprocmask: 14,
  rt_sigreturn: 15,
  rt_sigsuspend: 130,
  rt_sigaction: 13,
  sched_yield: 24,
  mmap: 9,
  mprotect: 10,
  munmap: 11,
  mremap: 25,
  brk: 12,
  membarrier: 324,
  close: 3,
  shutdown: 48,
  epoll_ctl: 233,
  epoll_wait: 232,
  epoll_pwait: 281,
  epoll_create1: 291,
  eventfd2: 290,
  gettid: 186,
  getpid: 39,
  sched_getaffinity: 204,
  getrandom: 318,
  clock_gettime: 228,
  clock_getres: 229,
  clock_nanosleep: 230,
  nanosleep: 35,
  gettimeofday: 96,
  getcpu: 309,
  getrusage: 98,
  sigaltstack: 131,
  rseq: 334,
  set_robust_list: 273,
  restart_syscall: 219,
  exit: 60,
  exit_group: 231,
};

/** What the bundler of the runtime needs besides: it looks at folders. Landlock decides which. */
const forReading: Readonly<Record<string, number>> = {
  openat: 257,
  newfstatat: 262,
  fcntl: 72,
  statx: 332,
  getdents64: 217,
  readlink: 89,
  getcwd: 79,
};

/** Calls that depend on their first argument, and one that must look absent so that the C library takes its older form. */
const checked = { tgkill: 234, prctl: 157, clone: 56, clone3: 435 } as const;
const setName = 15;
const nameMemory = 0x53564d41;
const threadFlag = 0x10000;

// linux/filter.h, linux/seccomp.h, linux/audit.h
const code = { load: 0x20, equal: 0x15, anyBit: 0x45, atLeast: 0x35, answer: 0x06 } as const;
const at = { number: 0, architecture: 4, firstArgument: 16 } as const;
const answers = { allow: 0x7fff0000, eperm: 0x00050001, enosys: 0x00050026, kill: 0x80000000 } as const;
const x64 = 0xc000003e;
const x32Numbers = 0x40000000;
const noNewPrivileges = 38;
const seccomp = 317;
const filterMode = 1;
const everyThread = 1;

type Step = readonly [code: number, ifTrue: number, ifFalse: number, value: number];

/** The filter as the kernel reads it. */
function programFor(pid: number, reading: boolean): readonly Step[] {
  const numbers = Object.values(reading ? { ...allowed, ...forReading } : allowed);
  const simple = numbers.flatMap((number): Step[] => [
    [code.equal, 0, 1, number],
    [code.answer, 0, 0, answers.allow],
  ]);
  return [
    [code.load, 0, 0, at.architecture],
    [code.equal, 1, 0, x64],
    [code.answer, 0, 0, answers.kill],
    [code.load, 0, 0, at.number],
    [code.atLeast, 0, 1, x32Numbers],
    [code.answer, 0, 0, answers.kill],
    ...simple,
    [code.equal, 0, 1, checked.clone3],
    [code.answer, 0, 0, answers.enosys],
    ...whenFirst(checked.tgkill, code.equal, [pid]),
    ...whenFirst(checked.prctl, code.equal, [setName, nameMemory]),
    ...whenFirst(checked.clone, code.anyBit, [threadFlag]),
    [code.answer, 0, 0, answers.eperm],
  ];
}

/** Allows the call when one of the tests holds for its first argument; refuses it otherwise. */
function whenFirst(number: number, test: number, values: readonly number[]): Step[] {
  const tests = values.flatMap((value): Step[] => [
    [test, 0, 1, value],
    [code.answer, 0, 0, answers.allow],
  ]);
  return [
    [code.equal, 0, tests.length + 2, number],
    [code.load, 0, 0, at.firstArgument],
    ...tests,
    [code.answer, 0, 0, answers.eperm],
  ];
}

function encode(steps: readonly Step[]): Uint8Array {
  const bytes = new Uint8Array(steps.length * 8);
  const view = new DataView(bytes.buffer);
  steps.forEach(([instruction, ifTrue, ifFalse, value], index) => {
    view.setUint16(index * 8, instruction, true);
    view.setUint8(index * 8 + 2, ifTrue);
    view.setUint8(index * 8 + 3, ifFalse);
    view.setUint32(index * 8 + 4, value, true);
  });
  return bytes;
}

/** Filters every thread of this process from now on; there is no way back. Returns null, or why it could not. */
export function filterCalls(native: Native, pid: number, reading: boolean): string | null {
  const libc = native.library("libc.so.6", {
    prctl: { args: ["i32", "u64", "u64", "u64", "u64"], returns: "i32" },
    syscall: { args: ["i64", "i64", "i64", "u64"], returns: "i64" },
  });
  const steps = programFor(pid, reading);
  const filter = encode(steps);
  const described = new Uint8Array(16);
  const view = new DataView(described.buffer);
  view.setUint16(0, steps.length, true);
  view.setBigUint64(8, native.address(filter), true);
  if (libc.prctl(noNewPrivileges, 1, 0, 0, 0) !== 0) return `prctl failed: errno ${native.errno()}`;
  const answer = libc.syscall(seccomp, filterMode, everyThread, native.address(described));
  if (answer === 0) return null;
  return answer > 0
    ? `seccomp could not reach thread ${answer}`
    : `this kernel took no seccomp filter of ${filter.length / 8} steps: errno ${native.errno()}`;
}
