/**
 * The threads that Bun keeps beside the one that runs our code. Those that make it faster or smaller later (the compiler, and
 * what gives free memory back) run for milliseconds at a time; where cores are scarce, whoever waits for an answer waits for
 * them. The collector's are not among them: our own thread waits for it.
 */
import { readdirSync, readFileSync } from "node:fs";
import { setPriority } from "node:os";

const patient: ReadonlySet<string> = new Set(["JITWorker", "mi-scavenger"]);
/** A third of the share of a thread of normal priority: little enough to go second, enough that none is starved. */
const niceness = 5;
const tasks = "/proc/self/task";

/** Returns what makes such threads as there are by now give way. Threads come and go: to be called again and again. */
export function helperThreads(): () => void {
  const own = nameOf(String(process.pid));
  let settled: ReadonlySet<string> = new Set();
  return () => {
    const now = new Set<string>();
    for (const id of threads()) {
      const name = settled.has(id) ? "" : nameOf(id);
      // A thread has the name of its maker at first.
      if (name === null || name === own) continue;
      now.add(id);
      if (patient.has(name)) yieldThread(Number(id));
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

function yieldThread(id: number): void {
  try {
    setPriority(id, niceness);
  } catch {
    // It is gone, or somebody forbids it: it stays as it was.
  }
}
