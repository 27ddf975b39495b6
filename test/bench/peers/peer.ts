/**
 * What every proxy of the bench looks like to it: something that can be started for a kind of work and then costs
 * processor time. A peer says how to start one process in one role; which roles make up a work is said here, once.
 */
import { mkdirSync } from "node:fs";
import { accepts, startProgram, waitFor, type Program } from "../../support/processes.ts";
import { familyOf } from "../usage.ts";
import { works, workPlans, type BackendName, type Wire, type Work } from "../works.ts";

/** Where load goes and whose cost it is. */
export interface Subject {
  readonly host: string;
  readonly port: number;
  /** The Host header. */
  readonly authority: string;
  /** By TLS, with the authority as the server name that is asked for. */
  readonly https?: true | undefined;
  /** What h2load sends besides, each as `name:value`. */
  readonly headers?: readonly string[];
  /** Processes that carry this work; their processor time is summed. */
  pids(): number[];
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface PeerContext {
  /** For configs and logs. */
  readonly folder: string;
  /** A loopback address that only this peer listens on. */
  readonly address: string;
  readonly backends: Readonly<Record<BackendName, Address>>;
  readonly proxyCore: number;
  readonly certificates: PeerCertificates;
}

/** Files in PEM. Each leaf has the DNS name that the other side asks for. */
export interface PeerCertificates {
  readonly root: string;
  readonly client: CertificateFiles;
  readonly server: CertificateFiles;
}

export interface CertificateFiles {
  readonly name: string;
  readonly chain: string;
  readonly key: string;
  /** Chain and key in one file. */
  readonly both: string;
}

/** One process of a peer: takes `from` on `port`, speaks `towards` to `to`, each in clear text or by TLS. */
export interface Role {
  readonly name: string;
  /** A folder of its own, for configs. */
  readonly folder: string;
  readonly from: Wire;
  readonly towards: Wire;
  readonly port: number;
  readonly to: Address;
  /** `server`: TLS of clients without certificates. */
  readonly tlsIn: "none" | "server" | "mutual";
  readonly tlsOut: "none" | "mutual";
  /** Each piece is to go on at once, rather than with the next. */
  readonly prompt: boolean;
}

export interface Peer {
  readonly name: string;
  readonly works: readonly Work[];
  /** Version, or null when it is not installed. */
  version(): string | null;
  /** Writes the configuration of one process; returns its command. */
  configure(context: PeerContext, role: Role): readonly string[];
}

/** Where load enters each work on the peer's own address; the second proxy of a pair listens one port above. */
function portOf(work: Work): number {
  return 8001 + 2 * works.indexOf(work);
}

function rolesOf(context: PeerContext, work: Work): Omit<Role, "folder">[] {
  const { legs, backend, load, https } = workPlans[work];
  const prompt = load === "events";
  const [first, second, third] = legs;
  const port = portOf(work);
  const tlsIn = https ? "server" : "none";
  const last = { prompt, to: context.backends[backend] };
  if (third === undefined)
    return [{ name: work, from: first, towards: second, port, tlsIn, tlsOut: "none", ...last }];
  const between = { host: context.address, port: port + 1 };
  return [
    { name: `${work}-out`, from: first, towards: second, port, to: between, tlsIn, tlsOut: "mutual", prompt },
    {
      name: `${work}-in`,
      from: second,
      towards: third,
      port: between.port,
      tlsIn: "mutual",
      tlsOut: "none",
      ...last,
    },
  ];
}

async function startRole(peer: Peer, context: PeerContext, part: Omit<Role, "folder">): Promise<Program> {
  const folder = `${context.folder}/${peer.name}-${part.name}`;
  mkdirSync(folder, { recursive: true });
  const program = startProgram({
    name: `${peer.name} ${part.name}`,
    command: peer.configure(context, { ...part, folder }),
    log: `${folder}/log`,
    core: context.proxyCore,
  });
  const ready = async () => ((await accepts(context.address, part.port)) ? true : null);
  await waitFor(`${program.name} accepts`, ready, { program, limitMs: 20_000 });
  return program;
}

export interface StartedPeer {
  readonly subjects: ReadonlyMap<Work, Subject>;
  readonly programs: readonly Program[];
}

/** Starts the peer's processes for those of `wanted` that it can do. */
export async function startPeer(
  peer: Peer,
  context: PeerContext,
  wanted: readonly Work[],
): Promise<StartedPeer> {
  const subjects = new Map<Work, Subject>();
  const all: Program[] = [];
  for (const work of wanted.filter((each) => peer.works.includes(each))) {
    const programs = await Promise.all(rolesOf(context, work).map((part) => startRole(peer, context, part)));
    all.push(...programs);
    subjects.set(work, {
      host: context.address,
      port: portOf(work),
      authority: "bench",
      https: workPlans[work].https,
      pids: () => programs.flatMap((program) => familyOf(program.pid)),
    });
  }
  return { subjects, programs: all };
}
