/**
 * The threads that Bun keeps beside the one that runs our code. Those that make it faster or smaller later (the compiler, and
 * what gives free memory back) run for milliseconds at a time; where cores are scarce, whoever waits for an answer waits for
 * them. The collector's are not among them: our own thread waits for it.
 */
import { readdirSync, readFileSync } from "node:fs";
import { getPriority, setPriority } from "node:os";

const patient: ReadonlySet<string> = new Set(["JITWorker", "mi-scavenger"]);
/** More than ours. A third of our share: little enough to go second, enough that none is starved. */
const nicer = 5;
const nicest = 19;
const tasks = "/proc/self/task";

/** Returns what makes such threads as there are by now give way. Threads come and go: to be called again and again. */
export function helperThreads(): () => void {
  const own = nameOf(String(process.pid));
  const niceness = Math.min(nicest, getPriority(process.pid) + nicer);
  let settled: ReadonlySet<string> = new Set();
  return () => {
    const now = new Set<string>();
    for (const id of threads()) {
      const name = settled.has(id) ? "" : nameOf(id);
      // A thread has the name of its maker at first.
      if (name === null || name === own) continue;
      now.add(id);
      if (patient.has(name)) yieldThread(Number(id), niceness);
    }
    settled = now;
  };
}

function threads(): string[] {
  try {
    return readdirSync(tasks);
  } catch {
    return [];
  }
}

function nameOf(id: string): string | null {
  try {
    return readFileSync(`${tasks}/${id}/comm`, "latin1").trimEnd();
  } catch {
    return null; // It is gone.
  }
}

function yieldThread(id: number, niceness: number): void {
  try {
    setPriority(id, niceness);
  } catch {
    // It is gone, or somebody forbids it: it stays as it was.
  }
}
