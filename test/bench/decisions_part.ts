/**
 * What policies cost on the path of requests: one that decides nothing, and one that picks the upstream by a header beside Envoy's ways to
 * do so. One clear HTTP/1.1 hop each; heddle's sealed process and the authorizer of ext_authz count as theirs.
 */
import { mkdirSync } from "node:fs";
import { startMesh, type Mesh } from "../support/mesh.ts";
import { accepts, startProgram, waitFor, type Program } from "../support/processes.ts";
import { paths } from "./backends.ts";
import { askedHeader, authorizer, decidingEnvoy, type DecidedBy } from "./decisions/envoy_decisions.ts";
import { closedLoop, loads, openLoop, whileAwake, type LoadResult } from "./load.ts";
import type { BenchOptions } from "./options.ts";
import type { OpenLoopResult } from "./open_loop.ts";
import { envoy } from "./peers/envoy.ts";
import type { Address, Subject } from "./peers/peer.ts";
import { interleave, median } from "./rounds.ts";
import { backends, loadCore, note, proxyCore, type Stage } from "./stage.ts";
import { barTable, ms, row, tableHead, type Bar } from "./tables.ts";
import { cpuNanos, familyOf } from "./usage.ts";
import { warm, warmingCount } from "./warming.ts";

const names = {
  plain: "heddle, no policy",
  noop: "heddle, a policy that decides nothing",
  decided: "heddle, header-route",
  routes: "Envoy, its route table",
  lua: "Envoy, Lua",
  ext_authz: "Envoy, ext_authz over HTTP",
} as const;
type Name = keyof typeof names;

/** Open loop; the second is what a call costs where many come together. */
const slow = { rate: 5_000, connections: 32 } as const;
const fast = { rate: 20_000, connections: 64 } as const;
const paced = { slow, fast } as const;
/** So many seconds of each pace are a round. */
const pacedSeconds = 2;
const bars = { addedP50Ms: 0.2, microsPerCall: 6, ofExtAuthz: 0.2, pathOfLua: 0.5 } as const;

const envoyHost = "127.78.3.2";
const authorizerAt: Address = { host: "127.78.3.1", port: 8_000 };

/** Answers itself when nobody routes its requests elsewhere: nothing listens there. */
const nothing = 9;
const documents = `
{kind: Service, name: caller, port: 80, protocol: http}
---
{kind: Service, name: plain, port: 80, protocol: http}
---
{kind: Service, name: noop, port: 80, protocol: http, policies: [{use: noop, with: {}}]}
---
kind: Service
name: decided
port: 80
protocol: http
policies: [{use: header-route, with: {header: x-group, values: {beta: {service: plain}}}}]
`;
const noop = `import { definePolicy, next } from "heddle/policy";
import * as v from "valibot";
export default definePolicy({
  api: 1, name: "noop", version: "1.0.0", options: v.strictObject({}), onError: "closed",
  onRequest: () => next(),
});
`;

interface PacedResult extends OpenLoopResult {
  /** Processor time for each request: microseconds. */
  readonly cost: number;
}
type Rounds<T> = ReadonlyMap<string, readonly T[]>;

export async function measureDecisions(stage: Stage, options: BenchOptions): Promise<string[]> {
  const mesh = await startMesh({
    addressFirst: 70,
    documents,
    policies: { "noop.ts": noop },
    cores: { proxies: proxyCore, others: loadCore },
    machines: [machine()],
  });
  try {
    const subjects = new Map<Name, Subject>(subjectsOf(mesh));
    for (const [name, subject] of await startEnvoys(stage)) subjects.set(name, subject);
    await untilDecided(subjects, stage.folder);
    for (const [name, subject] of subjects) {
      note(`decisions: warms ${names[name]}`);
      await warm(stage, "http1", subject, options);
    }
    const slowRounds = await pacedRounds("slow", subjects, options);
    const fastRounds = await pacedRounds("fast", subjects, options);
    const rounds = await interleave([...subjects.keys()], options.rounds, async (name, round) => {
      const subject = subjects.get(name as Name) as Subject;
      const result = await closedLoop("http1", subject, {
        count: options.counts.http1,
        core: loadCore,
        folder: stage.folder,
      });
      note(`decisions ${round + 1} ${names[name as Name]}: ${result.cost.toFixed(2)} ${loads.http1.cost}`);
      return result;
    });
    return lines(rounds, slowRounds, fastRounds, options);
  } finally {
    await mesh.stop();
  }
}

function machine() {
  const calls = { plain: "by-name", noop: "by-name", decided: "by-name" } as const;
  const { page } = backends;
  return {
    name: "vm-a",
    services: [
      { service: "caller", app: "none" as const, calls },
      { service: "plain", app: "http" as const, ...page },
      { service: "noop", app: "http" as const, ...page },
      { service: "decided", app: "none" as const, host: page.host, port: nothing },
    ],
  };
}

function subjectsOf(mesh: Mesh): [Name, Subject][] {
  const near = mesh.machine("vm-a");
  const at = { host: near.address, port: near.httpPort("caller") };
  const subject = (service: string): Subject => ({
    ...at,
    authority: `${service}.mesh`,
    headers: [askedHeader],
    pids: () => familyOf(near.proxy.pid),
  });
  return (["plain", "noop", "decided"] as const).map((name) => [name, subject(name)]);
}

async function startEnvoys({ folder: all, programs, versions }: Stage): Promise<[Name, Subject][]> {
  const version = envoy.version();
  if (version === null) {
    note("absent: Envoy (test/bench/install_peers.sh installs it)");
    return [];
  }
  versions.set("Envoy", version);
  const folder = `${all}/decisions`;
  mkdirSync(`${folder}/authorizer`, { recursive: true });
  const asked = authorizer(`${folder}/authorizer`, authorizerAt);
  const decides = await started("the authorizer", asked, authorizerAt, folder, loadCore);
  programs.push(decides);
  const found: [Name, Subject][] = [];
  for (const [at, by] of (["routes", "lua", "ext_authz"] satisfies DecidedBy[]).entries()) {
    const listen = { host: envoyHost, port: 8_001 + at };
    const command = decidingEnvoy(folder, by, { listen, backend: backends.page, authorizer: authorizerAt });
    const program = await started(`Envoy ${by}`, command, listen, folder, proxyCore);
    programs.push(program);
    const own = by === "ext_authz" ? [program, decides] : [program];
    const pids = (): number[] => own.flatMap(({ pid }) => familyOf(pid));
    found.push([by, { ...listen, authority: "bench", headers: [askedHeader], pids }]);
  }
  return found;
}

async function started(
  name: string,
  command: readonly string[],
  { host, port }: Address,
  folder: string,
  core: number,
): Promise<Program> {
  const program = startProgram({ name, command, log: `${folder}/${name}.log`, core });
  await waitFor(`${name} accepts`, async () => ((await accepts(host, port)) ? true : null), { program });
  return program;
}

/** A policy that still starts, and a service that is not known yet, refuse their first requests. */
async function untilDecided(subjects: ReadonlyMap<Name, Subject>, folder: string): Promise<void> {
  for (const [name, subject] of subjects) {
    let last = "";
    const once = async (): Promise<true | null> => {
      try {
        await closedLoop("http1", subject, { count: 32, core: loadCore, folder });
        return true;
      } catch (error) {
        last = (error as Error).message;
        return null;
      }
    };
    await waitFor(`${names[name]} decides`, once, { everyMs: 100, limitMs: 20_000 }).catch((error) => {
      throw new Error(`${(error as Error).message}: ${last}`);
    });
  }
}

async function pacedRounds(
  pace: keyof typeof paced,
  subjects: ReadonlyMap<Name, Subject>,
  { rounds }: BenchOptions,
): Promise<Rounds<PacedResult>> {
  const { rate, connections } = paced[pace];
  const count = rate * pacedSeconds;
  return interleave(["plain", "noop"], rounds, async (name, round) => {
    const { host, port, authority, pids } = subjects.get(name as Name) as Subject;
    const load = { host, port, authority, path: paths.page, rate, connections, count, warmup: count / 4 };
    const measured = pids();
    let before = 0;
    const result = await whileAwake([proxyCore, loadCore], () =>
      openLoop(load, loadCore, () => (before = cpuNanos(measured))),
    );
    const cost = (cpuNanos(measured) - before) / 1_000 / count;
    const { p50, p99, failed } = result;
    note(
      `decisions ${rate}/s ${round + 1} ${name}: ${cost.toFixed(2)} us, p50 ${p50} p99 ${p99} us, ${failed} failed`,
    );
    return { ...result, cost };
  });
}

function lines(
  rounds: Rounds<LoadResult>,
  slowRounds: Rounds<PacedResult>,
  fastRounds: Rounds<PacedResult>,
  options: BenchOptions,
): string[] {
  const closed = [...rounds].map(([name, runs]) =>
    row([names[name as Name], ...figuresOf(rounds, name as Name, runs)]),
  );
  return [
    `One clear HTTP/1.1 hop, ${options.rounds} interleaved rounds, medians, after ${warmingCount("http1", options)} requests to each. Closed loop: ${options.counts.http1} requests`,
    `over 32 connections. Open loop: evenly spaced, ${pacedSeconds} s a round. The header \`${askedHeader}\` picks the upstream; where nothing decides, the answer is 503.`,
    "Added: that without the decision, of the same round, subtracted. Processor time is that of the proxy and all its processes, and with",
    "ext_authz that of the authorizer (nginx, `return 200`).",
    "",
    ...tableHead([loads.http1.cost, "added", loads.http1.rate]),
    ...closed,
    "",
    ...tableHead(["p50 ms", "p99 ms", "CPU µs per request", "added p50 ms", "added CPU µs", "failed"]),
    ...pacedLines(slow.rate, slowRounds),
    ...pacedLines(fast.rate, fastRounds),
    "",
    ...barTable(barsOf(rounds, slowRounds, fastRounds)),
  ];
}

/** What a decision is beside. */
const without: Readonly<Partial<Record<Name, Name>>> = {
  noop: "plain",
  decided: "plain",
  lua: "routes",
  ext_authz: "routes",
};

function figuresOf(rounds: Rounds<LoadResult>, name: Name, runs: readonly LoadResult[]): string[] {
  const beside = without[name];
  const added = beside === undefined ? "" : addedOf(rounds, name, beside, (run) => run.cost).toFixed(2);
  const rate = median(runs.map((run) => run.rate)).toFixed(0);
  return [median(runs.map((run) => run.cost)).toFixed(2), added, rate];
}

function pacedLines(rate: number, rounds: Rounds<PacedResult>): string[] {
  return [...rounds].map(([name, runs]) => {
    const of = (pick: (run: PacedResult) => number): number => median(runs.map(pick));
    const added =
      name === "plain"
        ? ["", ""]
        : [
            ms(addedOf(rounds, "noop", "plain", (run) => run.p50)),
            addedOf(rounds, "noop", "plain", (run) => run.cost).toFixed(2),
          ];
    const failed = runs.reduce((sum, run) => sum + run.failed, 0);
    const cost = of((run) => run.cost).toFixed(2);
    const shown = [ms(of((run) => run.p50)), ms(of((run) => run.p99)), cost, ...added, String(failed)];
    return row([`${names[name as Name]}, ${rate}/s`, ...shown]);
  });
}

/** Median over the rounds of what it takes more than the other of the same round. */
function addedOf<T>(rounds: Rounds<T>, of: Name, beside: Name, pick: (run: T) => number): number {
  const others = rounds.get(beside) ?? [];
  return median((rounds.get(of) ?? []).map((run, round) => pick(run) - pick(others[round] as T)));
}

function barsOf(
  rounds: Rounds<LoadResult>,
  slowRounds: Rounds<PacedResult>,
  fastRounds: Rounds<PacedResult>,
): Bar[] {
  const addedP50 = addedOf(slowRounds, "noop", "plain", (run) => run.p50) / 1_000;
  const perCall = addedOf(fastRounds, "noop", "plain", (run) => run.cost);
  const own: Bar[] = [
    { title: "added p50 at 5,000/s", wanted: bars.addedP50Ms, measured: addedP50, unit: " ms" },
    { title: "CPU of a call at 20,000/s", wanted: bars.microsPerCall, measured: perCall, unit: " µs" },
  ];
  if (!rounds.has("lua")) return own;
  const added = (of: Name): number => addedOf(rounds, of, without[of] ?? "plain", (run) => run.cost);
  const mine = added("decided");
  const path = rounds.get("decided")?.map((run, at) => run.cost / (rounds.get("lua")?.[at]?.cost ?? 0)) ?? [];
  return [
    ...own,
    { title: "CPU added by the decision, beside Lua's", wanted: added("lua"), measured: mine, unit: " µs" },
    {
      title: "CPU added by the decision ÷ ext_authz's",
      wanted: bars.ofExtAuthz,
      measured: mine / added("ext_authz"),
      unit: "",
    },
    { title: "whole path ÷ Envoy with Lua", wanted: bars.pathOfLua, measured: median(path), unit: "" },
  ];
}
