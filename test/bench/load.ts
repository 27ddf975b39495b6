/** Closed-loop load: h2load with a fixed number of HTTP/1.1 requests over keep-alive connections. */
import { readFileSync, rmSync } from "node:fs";
import { page } from "./backend.ts";
import { Histogram } from "./histogram.ts";
import type { OpenLoopOptions, OpenLoopResult } from "./open_loop.ts";
import type { Subject } from "./peers/peer.ts";
import { cpuNanos, residentMb } from "./usage.ts";

export const connections = 32;

export interface LoadOptions {
  readonly requests: number;
  readonly core: number;
  readonly folder: string;
}

export interface LoadResult {
  readonly cpuUs: number;
  readonly perSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly rssMb: number;
}

/** The command, as it is shown beside the results. */
export function loadCommand(
  subject: Pick<Subject, "host" | "port" | "authority">,
  requests: number,
): string[] {
  const url = `http://${subject.host}:${subject.port}${page}`;
  const host = `:authority:${subject.authority}`;
  return ["h2load", "--h1", "-n", String(requests), "-c", String(connections), "-m", "1", "-H", host, url];
}

export async function closedLoop(subject: Subject, options: LoadOptions): Promise<LoadResult> {
  const log = `${options.folder}/requests.tsv`;
  rmSync(log, { force: true });
  const [program = "", ...args] = loadCommand(subject, options.requests);
  const pids = subject.pids();
  const before = cpuNanos(pids);
  const said = await output(
    ["taskset", "-c", String(options.core), program, `--log-file=${log}`, ...args],
    120_000,
  );
  const cpuUs = (cpuNanos(pids) - before) / 1_000 / options.requests;
  const good = Number(/status codes: (\d+) 2xx/.exec(said)?.[1] ?? 0);
  if (good !== options.requests) {
    throw new Error(`Only ${good} of ${options.requests} requests were answered 2xx: ${said.slice(-600)}`);
  }
  const perSecond = Number(/, ([\d.]+) req\/s/.exec(said)?.[1] ?? 0);
  const latency = latencyOf(log);
  const rssMb = pids.reduce((sum, pid) => sum + residentMb(pid), 0);
  return { cpuUs, perSecond, p50Us: latency.quantile(0.5), p99Us: latency.quantile(0.99), rssMb };
}

/** Lines of `start time, status, microseconds`. */
function latencyOf(path: string): Histogram {
  const histogram = new Histogram();
  for (const line of readFileSync(path, "latin1").split("\n")) {
    if (line !== "") histogram.record(Number(line.slice(line.lastIndexOf("\t") + 1)));
  }
  return histogram;
}

/** Runs the open-loop generator in a process of its own. It polls, so it is nicer than the backend beside it. */
export async function openLoop(options: OpenLoopOptions, core: number): Promise<OpenLoopResult> {
  const script = `${import.meta.dir}/open_loop.ts`;
  const command = ["nice", "-n", "10", "taskset", "-c", String(core), process.execPath, script];
  return JSON.parse(await output([...command, JSON.stringify(options)], 120_000)) as OpenLoopResult;
}

async function output(command: readonly string[], limitMs: number): Promise<string> {
  const child = Bun.spawn([...command], { stdout: "pipe", stderr: "pipe", timeout: limitMs });
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (child.exitCode === 0) return out;
  throw new Error(`${command.join(" ")} ended with ${child.exitCode ?? child.signalCode}: ${out}${err}`);
}
