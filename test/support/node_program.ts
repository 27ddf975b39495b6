/**
 * Programs of tests that run on Node: peers of another make than the runtime of heddle. Each is a TypeScript file of
 * test/support, bundled once and started as a process of its own.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bun, root } from "../../compile/repository.ts";
import { accepts, runProgram, startProgram, waitFor, type Program } from "./processes.ts";
import { hangMs } from "./patience.ts";

const folder = mkdtempSync(join(tmpdir(), "heddle-node-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const bundled = new Map<string, string>();

/** The bundle of `file`, a path below test/support: something that Node runs. */
function bundle(file: string): string {
  const known = bundled.get(file);
  if (known !== undefined) return known;
  const out = join(folder, `${bundled.size}.mjs`);
  const entry = join(root, "test/support", file);
  runProgram([bun, "build", entry, "--target=node", "--format=esm", `--outfile=${out}`]);
  bundled.set(file, out);
  return out;
}

export interface RunOptions {
  /** What it reads from its standard input. */
  readonly input?: string;
  readonly limitMs?: number;
}

/** Runs it to its end; the JSON that it printed. */
export async function runNode<T>(
  file: string,
  args: readonly string[],
  { input = "", limitMs = 2 * hangMs }: RunOptions = {},
): Promise<T> {
  const child = Bun.spawn(["node", bundle(file), ...args], {
    stdin: new Blob([input]),
    stdout: "pipe",
    stderr: "pipe",
    timeout: limitMs,
    killSignal: "SIGKILL",
  });
  const [said, complained] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  if (child.exitCode === 0) return JSON.parse(said) as T;
  throw new Error(`${file} ended with ${child.exitCode ?? child.signalCode}: ${complained}${said}`);
}

/** Starts a server, whose first arguments are where it listens, and waits until it accepts. */
export async function startNode(
  file: string,
  host: string,
  port: number,
  args: readonly string[] = [],
): Promise<Program> {
  const program = startProgram({
    name: `${file} at ${host}:${port}`,
    command: ["node", bundle(file), host, String(port), ...args],
    log: join(folder, `${host}-${port}.log`),
  });
  const ready = async (): Promise<true | null> => ((await accepts(host, port)) ? true : null);
  await waitFor(`${program.name} accepts`, ready, { program });
  return program;
}
