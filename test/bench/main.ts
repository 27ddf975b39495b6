/**
 * Entry of `npm run bench`: what one request costs in heddle and in the proxies people know, in one run. Proxies on one
 * core, load and backend on the other; interleaved rounds, medians. Only ratios carry over to another machine.
 */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { startBackend } from "./backend.ts";
import { writeCertificates } from "./certificates.ts";
import { conditions } from "./conditions.ts";
import { startHeddle, type StartedHeddle } from "./heddle.ts";
import { closedLoop, openLoop, type LoadResult } from "./load.ts";
import type { OpenLoopResult } from "./open_loop.ts";
import { parseOptions, type BenchOptions } from "./options.ts";
import { page } from "./backend.ts";
import { envoy } from "./peers/envoy.ts";
import { haproxy } from "./peers/haproxy.ts";
import { nginx } from "./peers/nginx.ts";
import { startPeer, works, type Address, type Subject, type Work } from "./peers/peer.ts";
import { render, type Results } from "./results.ts";
import { interleave } from "./rounds.ts";
import { hasProgram, type Program } from "../support/processes.ts";

const proxyCore = 0;
const loadCore = 1;
const peers = [nginx, haproxy, envoy];
const backend: Address = { host: "127.78.0.1", port: 8000 };
/** Open loop: as the published figures of meshes are taken. */
const paced = { rate: 1_000, connections: 16 } as const;

interface Stage {
  readonly folder: string;
  readonly programs: Program[];
  /** By work, then by name. */
  readonly subjects: ReadonlyMap<Work, Map<string, Subject>>;
  readonly versions: Map<string, string>;
  readonly absent: string[];
  heddle: StartedHeddle | null;
}

export async function runBench(args: readonly string[]): Promise<number> {
  let options: BenchOptions;
  try {
    options = parseOptions(args);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    return 2;
  }
  const missing = ["nginx", "h2load", "taskset"].filter((program) => !hasProgram(program));
  if (missing.length > 0) {
    process.stderr.write(`Cannot bench without ${missing.join(", ")}: run test/bench/install_peers.sh\n`);
    return 2;
  }
  const folder = mkdtempSync(`${tmpdir()}/heddle-bench-`);
  chmodSync(folder, 0o755);
  const stage = newStage(folder);
  try {
    const text = render(await measure(stage, options));
    process.stdout.write(`\n${text}`);
    if (options.write) writeFileSync(`${import.meta.dir}/RESULTS.md`, text);
  } finally {
    await stage.heddle?.stop();
    await Promise.all(stage.programs.map((program) => program.stop()));
    rmSync(folder, { recursive: true, force: true });
  }
  return 0;
}

function newStage(folder: string): Stage {
  return {
    folder,
    programs: [],
    subjects: new Map(works.map((work) => [work, new Map<string, Subject>()])),
    versions: new Map(),
    absent: [],
    heddle: null,
  };
}

function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

async function measure(stage: Stage, options: BenchOptions): Promise<Results> {
  const before = conditions(options.args);
  stage.programs.push(await startBackend(stage.folder, backend, loadCore));
  await startPeers(stage);
  await startOurs(stage);
  for (const name of stage.absent) note(`absent: ${name}`);
  const idle = options.only.includes("idle") ? await idleOf(stage, options) : null;
  const closed = new Map<Work, Map<string, LoadResult[]>>();
  for (const work of works.filter((each) => options.only.includes(each))) {
    closed.set(work, await closedRounds(stage, work, options));
  }
  const latency = options.only.includes("latency") ? await pacedRounds(stage, options) : null;
  return {
    conditions: before,
    versions: stage.versions,
    absent: stage.absent,
    rounds: options.rounds,
    requests: options.requests,
    warmup: options.warmup,
    pacedRequests: options.paced,
    paced,
    closed,
    latency,
    idle,
  };
}

async function startPeers(stage: Stage): Promise<void> {
  const certificates = await writeCertificates(stage.folder);
  for (const [index, peer] of peers.entries()) {
    const version = peer.version();
    if (version === null) {
      stage.absent.push(`${peer.name} (test/bench/install_peers.sh installs it)`);
      continue;
    }
    stage.versions.set(peer.name, version);
    const address = `127.78.0.${index + 11}`;
    const context = { folder: stage.folder, address, backend, proxyCore, certificates };
    const started = await startPeer(peer, context, works);
    stage.programs.push(...started.programs);
    for (const [work, subject] of started.subjects) stage.subjects.get(work)?.set(peer.name, subject);
  }
}

async function startOurs(stage: Stage): Promise<void> {
  const started = await startHeddle({ backend, proxyCore, loadCore });
  if (typeof started === "string") {
    stage.absent.push(`heddle (${started})`);
    return;
  }
  stage.heddle = started;
  stage.versions.set("heddle", started.version);
  for (const [work, subject] of started.subjects) stage.subjects.get(work)?.set("heddle", subject);
}

async function idleOf(stage: Stage, options: BenchOptions): Promise<Results["idle"]> {
  if (stage.heddle === null) return null;
  note(`idle: waiting until a proxy has run for ${options.idleMs / 1_000} s`);
  return stage.heddle.idle(options.idleMs);
}

async function closedRounds(
  stage: Stage,
  work: Work,
  options: BenchOptions,
): Promise<Map<string, LoadResult[]>> {
  const subjects = stage.subjects.get(work) ?? new Map<string, Subject>();
  const load = { requests: options.requests, core: loadCore, folder: stage.folder };
  for (const subject of subjects.values()) {
    await closedLoop(subject, { ...load, requests: options.warmup });
  }
  return interleave([...subjects.keys()], options.rounds, async (name, round) => {
    const result = await closedLoop(subjectOf(subjects, name), load);
    const { cpuUs, perSecond, p50Us, p99Us } = result;
    note(
      `${work} ${round + 1} ${name.padEnd(8)} ${cpuUs.toFixed(1)} us/request ${perSecond.toFixed(0)}/s p50 ${p50Us} p99 ${p99Us} us`,
    );
    return result;
  });
}

async function pacedRounds(stage: Stage, options: BenchOptions): Promise<Map<string, OpenLoopResult[]>> {
  const direct: Subject = { ...backend, authority: "bench", pids: () => [] };
  const subjects = new Map([["direct", direct], ...(stage.subjects.get("pair") ?? [])]);
  return interleave([...subjects.keys()], options.rounds, async (name, round) => {
    const { host, port, authority } = subjectOf(subjects, name);
    const count = options.paced + paced.rate;
    const result = await openLoop({ host, port, authority, path: page, ...paced, count }, loadCore);
    const { p50, p99, p999, max, failed } = result;
    note(
      `latency ${round + 1} ${name.padEnd(8)} p50 ${p50} p99 ${p99} p99.9 ${p999} max ${max} us, ${failed} failed`,
    );
    return result;
  });
}

function subjectOf(subjects: ReadonlyMap<string, Subject>, name: string): Subject {
  const subject = subjects.get(name);
  if (subject === undefined) throw new Error(`Cannot measure "${name}": it was not started`);
  return subject;
}
