/** Everything that a part needs, started: the backends, the peers and heddle's mesh, for its work and no other. */
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import type { Program } from "../support/processes.ts";
import { backendAddresses, startBackends } from "./backends.ts";
import { writeCertificates } from "./certificates.ts";
import { startHeddle, type StartedHeddle } from "./heddle.ts";
import type { Part } from "./options.ts";
import { envoy } from "./peers/envoy.ts";
import { haproxy } from "./peers/haproxy.ts";
import { nginx } from "./peers/nginx.ts";
import { startPeer, type Subject } from "./peers/peer.ts";
import { works, worksBefore, workPlans, type BackendName, type Work } from "./works.ts";

export const proxyCore = 0;
export const loadCore = 1;
export const backends = backendAddresses("127.78.0.1");
/** heddle's turn comes behind theirs: whom it is held against is measured next to it, under the same conditions. */
const peers = [envoy, nginx, haproxy];

export interface Stage {
  readonly folder: string;
  readonly programs: Program[];
  readonly subjects: ReadonlyMap<Work, Map<string, Subject>>;
  readonly versions: Map<string, string>;
  /** null when it cannot be started. */
  heddle: StartedHeddle | null;
}

export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

export function newStage(): Stage {
  const folder = mkdtempSync(`${tmpdir()}/heddle-bench-`);
  chmodSync(folder, 0o755);
  const subjects = new Map(works.map((work) => [work, new Map<string, Subject>()]));
  return { folder, programs: [], subjects, versions: new Map(), heddle: null };
}

/** The works that a part compares. */
function worksOf(part: Part): Work[] {
  if (part === "latency" || part === "floods" || part === "burst") return ["pair"];
  return works.filter((work) => work === part);
}

/** The works that heddle's proxies do where one is measured: those that come before it, and itself. */
export function worksFor(work: Work): Work[] {
  return [...(worksBefore[work] ?? []), work];
}

/** What heddle is asked alone needs no peer. */
const aloneParts: readonly Part[] = [
  "idle",
  "connections",
  "floods",
  "burst",
  "policies",
  "decisions",
  "picks",
  "snapshots",
  "routes",
  "callers",
  "broken",
  "telemetry",
];

/** Starts what answers behind the proxies. */
export async function startLoad(stage: Stage, wanted: readonly Work[]): Promise<void> {
  const names = new Set<BackendName>(["page", ...wanted.map((work) => workPlans[work].backend)]);
  stage.programs.push(...(await startBackends(stage.folder, backends, [...names], loadCore)));
}

export async function startStage(stage: Stage, part: Part): Promise<void> {
  const compared = worksOf(part);
  const wanted = compared.flatMap(worksFor);
  await startLoad(stage, wanted);
  await startPeers(stage, aloneParts.includes(part) ? [] : compared);
  const heddle = await startHeddle({ backends, proxyCore, loadCore, wanted });
  if (typeof heddle === "string") return note(`absent: heddle (${heddle})`);
  stage.heddle = heddle;
  stage.versions.set("heddle", heddle.version);
  for (const [work, named] of heddle.subjects) {
    for (const [name, subject] of named) stage.subjects.get(work)?.set(name, subject);
  }
}

async function startPeers(stage: Stage, wanted: readonly Work[]): Promise<void> {
  const { folder } = stage;
  const certificates = await writeCertificates(folder);
  for (const [index, peer] of peers.entries()) {
    const version = peer.version();
    if (version === null) {
      note(`absent: ${peer.name} (test/bench/install_peers.sh installs it)`);
      continue;
    }
    const address = `127.78.0.${index + 11}`;
    const started = await startPeer(peer, { folder, address, backends, proxyCore, certificates }, wanted);
    if (started.programs.length > 0) stage.versions.set(peer.name, version);
    stage.programs.push(...started.programs);
    for (const [work, subject] of started.subjects) stage.subjects.get(work)?.set(peer.name, subject);
  }
}

export async function stopStage(stage: Stage): Promise<void> {
  await stage.heddle?.stop();
  await Promise.all(stage.programs.map((program) => program.stop()));
  rmSync(stage.folder, { recursive: true, force: true });
}
