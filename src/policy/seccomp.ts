/**
 * Second half of the seal: a filter over system calls for every thread of this process and those to come. An allow-list:
 * what is not named fails with EPERM. No file can be opened, no socket made or connected, nothing run, traced or signalled
 * outside of this process; what stays is memory, threads, time, and reading and writing what is open already.
 */
import type { Native } from "../../runtime/contract.ts";
import { auditNumbers, numberOf, numberOfEvery, type Architecture, type SystemCall } from "./system_calls.ts";

/** What came often in a trace stands first. */
const allowed: readonly SystemCall[] = [
  ...(["futex", "epoll_pwait2", "recvfrom", "sendto", "read", "write", "madvise"] as const),
  ...(["rt_sigprocmask", "rt_sigreturn", "rt_sigsuspend", "rt_sigaction", "sched_yield"] as const),
  ...(["mmap", "mprotect", "munmap", "mremap", "brk", "membarrier"] as const),
  ...(["close", "shutdown", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_create1", "eventfd2"] as const),
  ...(["gettid", "getpid", "sched_getaffinity", "getrandom", "clock_gettime", "clock_getres"] as const),
  ...(["clock_nanosleep", "nanosleep", "gettimeofday", "getcpu", "getrusage", "sigaltstack"] as const),
  ...(["rseq", "set_robust_list", "restart_syscall", "exit", "exit_group"] as const),
];

/** What the bundler of the runtime needs besides: it looks at folders. Landlock decides which. */
const forReading: readonly SystemCall[] = [
  ...(["openat", "newfstatat", "fcntl", "statx", "getdents64", "getcwd"] as const),
];
/** How it reads a link. */
const linkCalls: Readonly<Record<Architecture, SystemCall>> = { x64: "readlink", arm64: "readlinkat" };

const setName = 15;
const nameMemory = 0x53564d41;
const threadFlag = 0x10000;

// linux/filter.h, linux/seccomp.h, linux/audit.h
const code = { load: 0x20, equal: 0x15, anyBit: 0x45, atLeast: 0x35, answer: 0x06 } as const;
const at = { number: 0, architecture: 4, firstArgument: 16 } as const;
const answers = { allow: 0x7fff0000, eperm: 0x00050001, enosys: 0x00050026, kill: 0x80000000 } as const;
const x32Numbers = 0x40000000;
const noNewPrivileges = 38;
const filterMode = 1;
const everyThread = 1;

type Step = readonly [code: number, ifTrue: number, ifFalse: number, value: number];

/** The filter as the kernel reads it. */
function programFor(pid: number, reading: boolean, architecture: Architecture): readonly Step[] {
  const calls = reading ? [...allowed, ...forReading, linkCalls[architecture]] : allowed;
  const simple = calls.flatMap((call): Step[] => {
    const number = numberOf(call, architecture);
    if (number === null) return [];
    return [
      [code.equal, 0, 1, number],
      [code.answer, 0, 0, answers.allow],
    ];
  });
  const number = (call: "clone3" | "tgkill" | "prctl" | "clone") => numberOfEvery(call, architecture);
  return [
    [code.load, 0, 0, at.architecture],
    [code.equal, 1, 0, auditNumbers[architecture]],
    [code.answer, 0, 0, answers.kill],
    [code.load, 0, 0, at.number],
    [code.atLeast, 0, 1, x32Numbers],
    [code.answer, 0, 0, answers.kill],
    ...simple,
    // Must look absent, so that the C library takes its older form.
    [code.equal, 0, 1, number("clone3")],
    [code.answer, 0, 0, answers.enosys],
    ...whenFirst(number("tgkill"), code.equal, [pid]),
    ...whenFirst(number("prctl"), code.equal, [setName, nameMemory]),
    ...whenFirst(number("clone"), code.anyBit, [threadFlag]),
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
  const { architecture } = native;
  if (architecture === "other") return "heddle knows no system calls of this processor";
  const steps = programFor(pid, reading, architecture);
  const filter = encode(steps);
  const described = new Uint8Array(16);
  const view = new DataView(described.buffer);
  view.setUint16(0, steps.length, true);
  view.setBigUint64(8, native.address(filter), true);
  if (libc.prctl(noNewPrivileges, 1, 0, 0, 0) !== 0) return `prctl failed: errno ${native.errno()}`;
  const answer = libc.syscall(
    numberOfEvery("seccomp", architecture),
    filterMode,
    everyThread,
    native.address(described),
  );
  if (answer === 0) return null;
  return answer > 0
    ? `seccomp could not reach thread ${answer}`
    : `this kernel took no seccomp filter of ${filter.length / 8} steps: errno ${native.errno()}`;
}
