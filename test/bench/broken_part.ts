/** One of three instances breaks under load and is mended: how many requests fail, when it is out, and when it is back. */
import { mkdirSync } from "node:fs";
import { bun } from "../../compile/repository.ts";
import { startMesh } from "../support/mesh.ts";
import { accepts, startProgram, waitFor, type Program } from "../support/processes.ts";
import { modes, sliceMs, type BreakingAppOptions, type Mode } from "./broken/app.ts";
import { outlierEnvoy } from "./broken/envoy_outlier.ts";
import type { RateOptions, RateResult } from "./broken/rate_load.ts";
import type { BenchOptions } from "./options.ts";
import { envoy } from "./peers/envoy.ts";
import type { Address } from "./peers/peer.ts";
import { loadCore, note, proxyCore, type Stage } from "./stage.ts";
import { barTable, row, tableHead, type Bar } from "./tables.ts";

const rate = 500;
const calmMs = 5_000;
const timeouts = { requestMs: 2_000, perTryMs: 500 };
const faults = modes.filter((mode) => mode !== "well");
const failedBar = 1;
/** An instance that is out gets less than so much of an even share, one that is back more. */
const outShare = 0.15;
const backShare = 0.5;

interface Gateway extends Address {
  readonly name: string;
  readonly authority: string;
}

interface Outcome {
  readonly fault: Mode;
  readonly name: string;
  /** Of the requests that were due while it was broken. */
  readonly failedPercent: number;
  readonly p99Ms: number;
  /** null: it cannot be told, or was not seen. */
  readonly outMs: number | null;
  readonly backMs: number | null;
}

export async function measureBroken(stage: Stage, options: BenchOptions): Promise<string[]> {
  const brokenMs = options.quick ? 10_000 : 30_000;
  const folder = `${stage.folder}/broken`;
  mkdirSync(folder);
  const apps = [1, 2, 3].map((at): BreakingAppOptions => {
    return { host: `127.78.1.${at}`, port: 8_000, control: 8_001 };
  });
  const programs = await Promise.all(apps.map((app, at) => startApp(app, `${folder}/app-${at}.log`)));
  const mesh = await startMesh({
    addressFirst: 40,
    documents: documents(),
    cores: { proxies: proxyCore, others: loadCore },
    machines: [
      { name: "vm-a", services: [{ service: "caller", app: "none", calls: { web: "by-name" } }] },
      ...apps.map(({ host, port }, at) => {
        return { name: `vm-${at}`, services: [{ service: "web", app: "http" as const, host, port }] };
      }),
    ],
  });
  try {
    const caller = mesh.machine("vm-a");
    const gateways: Gateway[] = [
      { name: "heddle", host: caller.address, port: caller.httpPort("caller"), authority: "web.mesh" },
    ];
    if (envoy.version() !== null) {
      const listen = { host: "127.78.1.9", port: 8_000 };
      const command = outlierEnvoy(folder, listen, apps, timeouts);
      programs.push(await started("Envoy", command, `${folder}/envoy.log`, listen, proxyCore));
      stage.versions.set("Envoy", envoy.version() as string);
      gateways.push({ name: "Envoy", ...listen, authority: "web" });
    }
    const outcomes: Outcome[] = [];
    for (const fault of faults) {
      for (const gateway of gateways) {
        const outcome = await measure(fault, gateway, apps, brokenMs);
        note(`broken: ${fault.padEnd(12)} ${gateway.name.padEnd(7)} ${JSON.stringify(outcome)}`);
        outcomes.push(outcome);
      }
    }
    return lines(outcomes, brokenMs);
  } finally {
    await mesh.stop();
    await Promise.all(programs.map((program) => program.stop()));
  }
}

function documents(): string {
  const { requestMs, perTryMs } = timeouts;
  return `
{kind: Service, name: caller, port: 80, protocol: http}
---
{kind: Service, name: web, port: 80, protocol: http}
---
kind: Traffic
name: web
service: web
timeouts: {request: ${requestMs}ms, perTry: ${perTryMs}ms}
retries: {attempts: 1, on: [connect-failure, refused-stream, reset, timeout, 5xx]}
`;
}

/** Calm, then the last of the instances is broken for a while, then well again for as long as it was broken. */
async function measure(
  fault: Mode,
  { name, host, port, authority }: Gateway,
  apps: readonly BreakingAppOptions[],
  brokenMs: number,
): Promise<Outcome> {
  const app = apps.at(-1) as BreakingAppOptions;
  const limitMs = timeouts.requestMs + timeouts.perTryMs;
  const forMs = calmMs + 2 * brokenMs;
  const load = runLoad({ host, port, authority, rate, forMs, limitMs });
  await Bun.sleep(calmMs);
  const breaks = (await become(app, fault)).length;
  await Bun.sleep(brokenMs);
  const mended = (await become(app, "well")).length;
  const { statuses, tookMs } = await load;
  const counts = await become(app, "well");
  // What was under way to it when the fault ended belongs to it, what was due in the first moment before the mode was set does not.
  const from = Math.floor((calmMs * rate) / 1_000);
  const to = from + Math.floor((brokenMs * rate) / 1_000);
  const during = statuses.slice(from, to);
  const even = (rate / apps.length) * (sliceMs / 1_000);
  const back = counts
    .slice(mended)
    .findIndex((_, at, all) => meanOf(all.slice(at, at + 5)) >= backShare * even);
  return {
    fault,
    name,
    failedPercent: (100 * during.filter((status) => status !== 200).length) / during.length,
    p99Ms: tookMs.slice(from, to).toSorted((a, b) => a - b)[Math.floor(during.length * 0.99)] ?? 0,
    outMs: fault === "refuses" ? null : firstQuiet(counts.slice(breaks, mended), outShare * even),
    backMs: back < 0 ? null : back * sliceMs,
  };
}

/** When the first second begins in which it gets next to nothing, in milliseconds; null: there is none. */
function firstQuiet(counts: readonly number[], most: number): number | null {
  const isQuiet = (at: number): boolean =>
    at + 10 <= counts.length && meanOf(counts.slice(at, at + 10)) <= most;
  const at = counts.findIndex((_, index) => isQuiet(index));
  return at < 0 ? null : at * sliceMs;
}

function meanOf(counts: readonly number[]): number {
  return counts.length === 0 ? 0 : counts.reduce((sum, count) => sum + count, 0) / counts.length;
}

function lines(outcomes: readonly Outcome[], brokenMs: number): string[] {
  const shown = (value: number | null): string => (value === null ? "-" : (value / 1_000).toFixed(1));
  return [
    `${rate} GET/s, evenly spaced; one of three instances, each of which takes 5 ms, is broken for ${brokenMs / 1_000} s and then mended. Both: request`,
    `timeout ${timeouts.requestMs} ms, ${timeouts.perTryMs} ms for a try, one retry; Envoy with outlier detection on, max_ejection_percent 50, and in clear text; heddle over mTLS`,
    "with its defaults. Out: from when on it gets next to nothing for a second; back: half of an even share for half a second. `-`: nothing",
    "comes to one that refuses, or it was not back before the end.",
    "",
    ...tableHead(["failed", "p99 ms", "out after s", "back after s"]),
    ...outcomes.map(({ fault, name, failedPercent, p99Ms, outMs, backMs }) =>
      row([
        `${fault}: ${name}`,
        `${failedPercent.toFixed(2)} %`,
        p99Ms.toFixed(0),
        shown(outMs),
        shown(backMs),
      ]),
    ),
    "",
    ...barTable(barsOf(outcomes)),
  ];
}

function barsOf(outcomes: readonly Outcome[]): Bar[] {
  return faults.flatMap((fault) => {
    const of = (name: string): number | undefined =>
      outcomes.find((each) => each.fault === fault && each.name === name)?.failedPercent;
    const [own, theirs] = [of("heddle"), of("Envoy")];
    if (own === undefined) return [];
    const bar = (title: string, wanted: number): Bar => ({ title, wanted, measured: own, unit: " %" });
    const beside = theirs === undefined ? [] : [bar(`${fault}: failed, beside Envoy's`, theirs)];
    return [bar(`${fault}: failed`, failedBar), ...beside];
  });
}

async function startApp(options: BreakingAppOptions, log: string): Promise<Program> {
  const command = [bun, `${import.meta.dir}/broken/app.ts`, JSON.stringify(options)];
  return started("an instance", command, log, { host: options.host, port: options.control }, loadCore);
}

async function started(
  name: string,
  command: readonly string[],
  log: string,
  { host, port }: Address,
  core: number,
): Promise<Program> {
  const program = startProgram({ name, command, log, core });
  await waitFor(`${name} accepts`, async () => ((await accepts(host, port)) ? true : null), { program });
  return program;
}

async function become({ host, control }: BreakingAppOptions, mode: Mode): Promise<number[]> {
  const answer = await fetch(`http://${host}:${control}/${encodeURIComponent(mode)}`);
  return (await answer.json()) as number[];
}

async function runLoad(options: RateOptions): Promise<RateResult> {
  const command = ["taskset", "-c", String(loadCore), bun, `${import.meta.dir}/broken/rate_load.ts`];
  const child = Bun.spawn([...command, JSON.stringify(options)], { stdout: "pipe", stderr: "inherit" });
  return JSON.parse(await new Response(child.stdout).text()) as RateResult;
}
