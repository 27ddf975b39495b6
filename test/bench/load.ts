/** Runs a load against a proxy, on the core of the load, and says what it cost the processes of that proxy. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { bun } from "../../compile/repository.ts";
import { answerBytes, grpcMessage, paths } from "./backends.ts";
import { startProgram } from "../support/processes.ts";
import { Histogram } from "./histogram.ts";
import type { OpenLoopOptions, OpenLoopResult } from "./open_loop.ts";
import type { Subject } from "./peers/peer.ts";
import type { StreamLoadOptions, StreamLoadResult } from "./stream_load.ts";
import { cpuNanos, residentMb } from "./usage.ts";
import type { LoadName } from "./works.ts";

/** How a load is run and in what its results are told. */
export interface LoadPlan {
  /** What is counted, and how many of it are one unit of cost. */
  readonly counted: string;
  readonly cost: string;
  readonly rate: string;
  /** Nanoseconds of processor time for one counted thing, in the unit of `cost`. */
  readonly costOf: (nanos: number) => number;
  readonly how: string;
}

const perMicro = (nanos: number): number => nanos / 1_000;
const requests = { counted: "requests", cost: "CPU µs per request", rate: "requests/s", costOf: perMicro };

export const loads: Readonly<Record<LoadName, LoadPlan>> = {
  http1: { ...requests, how: "over 32 connections" },
  http2: { ...requests, how: "over 8 connections × 32 streams" },
  grpc: { ...requests, counted: "calls", how: "over 8 connections × 32 streams" },
  bulk: {
    counted: "bytes",
    cost: "CPU s per GB",
    rate: "bytes/s",
    costOf: (nanos) => nanos,
    how: "over 4 connections",
  },
  short: {
    counted: "connections",
    cost: "CPU µs per connection",
    rate: "connections/s",
    costOf: perMicro,
    how: "16 at a time",
  },
  events: {
    counted: "events",
    cost: "CPU µs per event",
    rate: "events/s",
    costOf: perMicro,
    how: "over 4 streams, an event each every 4 ms",
  },
};

const parallel = { bulk: 4, short: 16, events: 4 } as const;
/** The message of a gRPC call. */
const requestMessageBytes = 64;
/** What a load takes at most; warming a slow proxy on a slow machine takes minutes. */
const loadMsMax = 600_000;

export interface LoadOptions {
  readonly count: number;
  readonly core: number;
  readonly folder: string;
}

export interface LoadResult {
  /** In the unit of the plan. */
  readonly cost: number;
  readonly rate: number;
  /** 0 where nothing is timed. */
  readonly p50Us: number;
  readonly p99Us: number;
  readonly rssMb: number;
}

type Target = Pick<Subject, "host" | "port" | "authority" | "headers" | "https">;

/** The command, as it is shown beside the results. */
export function loadCommand(load: LoadName, target: Target, count: number, folder: string): string[] {
  if (load === "bulk" || load === "short" || load === "events") {
    const { host, port, authority } = target;
    const options: StreamLoadOptions = { kind: load, host, port, authority, count, parallel: parallel[load] };
    return [bun, `${import.meta.dir}/stream_load.ts`, JSON.stringify(options)];
  }
  const path = load === "grpc" ? paths.call : paths.page;
  const place = `${target.host}:${target.port}`;
  // The name in the URL is what TLS asks for, which an address is not.
  const url = target.https
    ? [`--connect-to=${place}`, `https://${target.authority}${path}`]
    : [`http://${place}${path}`];
  const more = (target.headers ?? []).flatMap((header) => ["-H", header]);
  const at = ["-H", `:authority:${target.authority}`, ...more, ...url];
  const connections = load === "http1" ? ["--h1", "-c", "32", "-m", "1"] : ["-c", "8", "-m", "32"];
  const message =
    load === "grpc"
      ? ["-d", `${folder}/message`, "-H", "content-type:application/grpc", "-H", "te:trailers"]
      : [];
  return ["h2load", "-n", String(count), ...connections, ...message, ...at];
}

/** A fixed amount of load, as fast as it is answered. Throws when not all of it is answered well. */
export async function closedLoop(
  load: LoadName,
  subject: Subject,
  options: LoadOptions,
): Promise<LoadResult> {
  const { count, folder } = options;
  if (load === "grpc") writeFileSync(`${folder}/message`, grpcMessage(requestMessageBytes));
  const command = loadCommand(load, subject, count, folder);
  const pids = subject.pids();
  const before = cpuNanos(pids);
  const measured =
    command[0] === "h2load" ? await h2load(command, options) : await streamLoad(command, options);
  const cost = loads[load].costOf((cpuNanos(pids) - before) / count);
  return { ...measured, cost, rssMb: pids.reduce((sum, pid) => sum + residentMb(pid), 0) };
}

type Measured = Pick<LoadResult, "rate" | "p50Us" | "p99Us">;

async function h2load(command: readonly string[], { count, core, folder }: LoadOptions): Promise<Measured> {
  const log = `${folder}/requests.tsv`;
  rmSync(log, { force: true });
  const said = await output(["taskset", "-c", String(core), ...command, `--log-file=${log}`], loadMsMax);
  const { good, latency } = readLog(log);
  const bytes = Number(/\((\d+)\) data/.exec(said)?.[1] ?? 0);
  // It cannot read a status without a reason phrase (HAProxy's, when HTTP/2 came): then none counts as good nor as bad.
  const unread = good === 0 && said.includes(" 0 3xx, 0 4xx, 0 5xx");
  if ((good !== count && !unread) || bytes !== count * answerBytes) {
    throw new Error(`Only ${good} of ${count} were answered 2xx, in ${bytes} bytes: ${said.slice(-600)}`);
  }
  const seconds = secondsOf(/finished in ([\d.]+)(us|ms|s)/.exec(said));
  return { rate: count / seconds, p50Us: latency.quantile(0.5), p99Us: latency.quantile(0.99) };
}

async function streamLoad(command: readonly string[], { count, core }: LoadOptions): Promise<Measured> {
  const said = await output(["taskset", "-c", String(core), ...command], loadMsMax);
  const { seconds, p50Us, p99Us } = JSON.parse(said) as StreamLoadResult;
  return { rate: count / seconds, p50Us, p99Us };
}

function secondsOf(found: RegExpExecArray | null): number {
  const scale = { us: 1e-6, ms: 1e-3, s: 1 }[found?.[2] ?? ""];
  return Number(found?.[1] ?? Number.NaN) * (scale ?? Number.NaN);
}

/** Lines of `start time, status, microseconds`. */
function readLog(path: string): { good: number; latency: Histogram } {
  const latency = new Histogram();
  let good = 0;
  for (const line of readFileSync(path, "latin1").split("\n")) {
    if (line === "") continue;
    const [, status = "", micros = ""] = line.split("\t");
    if (status.startsWith("2")) good++;
    latency.record(Number(micros));
  }
  return { good, latency };
}

/** Runs the open-loop generator in a process of its own, whose compiler leaves the core to the others. */
export async function openLoop(
  options: OpenLoopOptions,
  core: number,
  onCounting?: () => void,
): Promise<OpenLoopResult> {
  const script = `${import.meta.dir}/open_loop.ts`;
  const command = ["env", "BUN_JSC_useDFGJIT=0", "taskset", "-c", String(core), bun, script];
  const said = await output([...command, JSON.stringify(options)], loadMsMax, onCounting);
  const [counting = "", result = ""] = said.trim().split("\n");
  if (result === "")
    throw new Error(`${options.rate} requests/s never came so far as to be counted: ${counting}`);
  return JSON.parse(result) as OpenLoopResult;
}

/**
 * Runs something while processors with nothing to do do not halt: how late a halted virtual processor wakes is its host's
 * affair, not that of a proxy. What keeps them awake gives way to everything else.
 */
export async function whileAwake<T>(cores: readonly number[], run: () => Promise<T>): Promise<T> {
  const command = ["chrt", "--idle", "0", "sh", "-c", "while :; do :; done"];
  const spinning = cores.map((core) =>
    startProgram({ name: `what keeps core ${core} awake`, command, log: "/dev/null", core }),
  );
  try {
    return await run();
  } finally {
    await Promise.all(spinning.map((program) => program.stop()));
  }
}

/** What a program printed; throws with all it said when it fails. */
export async function output(
  command: readonly string[],
  limitMs: number,
  onFirst?: () => void,
): Promise<string> {
  const child = Bun.spawn([...command], { stdout: "pipe", stderr: "pipe", timeout: limitMs });
  const [out, err] = await Promise.all([
    textOf(child.stdout, onFirst),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (child.exitCode === 0) return out;
  throw new Error(`${command.join(" ")} ended with ${child.exitCode ?? child.signalCode}: ${out}${err}`);
}

/** All that comes; `onFirst` is called when something did. */
export async function textOf(stream: ReadableStream<Uint8Array>, onFirst?: () => void): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) {
    if (text === "") onFirst?.();
    text += decoder.decode(chunk, { stream: true });
  }
  return text;
}
