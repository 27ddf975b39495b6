/**
 * One command at a time changes the services of a machine: it holds a lock of the kernel (flock(2)) on a file that its manager's owner
 * alone can open. The lock goes with the process that took it, however that ends, so there are no stale ones.
 */
import type { Runtime } from "../../runtime/contract.ts";
import { printable } from "../base/printable.ts";
import { UserError } from "../base/user_error.ts";

// From the Linux headers: O_RDWR, O_CREAT, O_CLOEXEC; LOCK_EX with LOCK_NB; EWOULDBLOCK.
const openFlags = 2 | 0o100 | 0o2000000;
const ownerOnly = 0o600;
const alone = 2 | 4;
const wouldBlock = 11;

type Host = Pick<Runtime, "files" | "native">;

/** Does the work while nobody else does theirs at the same path. `action`: for people, as "upgrade". Throws, naming who holds it. */
export async function asOneChanger<T>(
  { files, native }: Host,
  path: string,
  action: string,
  work: () => Promise<T>,
): Promise<T> {
  const libc = native.library("libc.so.6", {
    open: { args: ["buffer", "i32", "u32"], returns: "i32" },
    flock: { args: ["i32", "i32"], returns: "i32" },
    close: { args: ["i32"], returns: "i32" },
  });
  const failed = (what: string): UserError =>
    new UserError(`Cannot ${action}: cannot ${what} ${path}: errno ${native.errno()}`);
  const file = libc.open(new TextEncoder().encode(`${path}\0`), openFlags, ownerOnly);
  if (file < 0) throw failed("open");
  try {
    if (libc.flock(file, alone) !== 0) {
      if (native.errno() !== wouldBlock) throw failed("lock");
      throw await heldError(files, path, action);
    }
    // Who held it before may have taken the file away.
    const [locked, there] = [await files.stat(`/proc/self/fd/${file}`), await files.stat(path)];
    if (locked?.inode !== there?.inode) throw await heldError(files, path, action);
    return await work();
  } finally {
    libc.close(file);
  }
}

async function heldError(files: Host["files"], path: string, action: string): Promise<UserError> {
  const holder = await holderOf(files, path);
  const who = holder === null ? "another heddle command" : `process ${holder.pid} (${holder.command})`;
  return new UserError(
    `Cannot ${action}: ${who} changes the services of this machine now`,
    "Repeat the command when that one has ended",
  );
}

/** As the kernel lists it (proc_locks(5)); null: it has ended meanwhile. */
async function holderOf(
  files: Host["files"],
  path: string,
): Promise<{ readonly pid: number; readonly command: string } | null> {
  const stat = await files.stat(path);
  const locks = new TextDecoder().decode((await files.read("/proc/locks")) ?? undefined);
  const held = new RegExp(`^\\d+: FLOCK +ADVISORY +WRITE +(\\d+) +[0-9a-f]+:[0-9a-f]+:${stat?.inode} `, "m");
  const pid = Number(held.exec(locks)?.[1] ?? 0);
  const words = pid > 0 ? await files.read(`/proc/${pid}/cmdline`) : null;
  if (words === null) return null;
  const command = new TextDecoder().decode(words).split("\0").join(" ").trim();
  return { pid, command: printable(command.slice(0, 200)) };
}
