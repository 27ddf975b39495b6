/**
 * What telemetry costs: one clear hop of heddle as it is by default, with every request traced, and while somebody taps the service;
 * beside Envoy with its OpenTelemetry tracer, of every request too. And how soon `heddle why` answers.
 */
import { binaryPath, bun } from "../../compile/repository.ts";
import { accepts, plainEnvironment, startProgram, waitFor } from "../support/processes.ts";
import { startHeddle, type StartedHeddle } from "./heddle.ts";
import { closedLoop, loads, type LoadResult } from "./load.ts";
import type { BenchOptions } from "./options.ts";
import { tracedEnvoy } from "./peers/envoy.ts";
import { startPeer, type Subject } from "./peers/peer.ts";
import { writeCertificates } from "./certificates.ts";
import { recordBars } from "./records_part.ts";
import { interleave, median } from "./rounds.ts";
import { backends, loadCore, note, proxyCore, type Stage } from "./stage.ts";
import { barTable, row, tableHead, type Bar } from "./tables.ts";
import { warm } from "./warming.ts";

const sink = { host: "127.78.2.1", port: 4_318 };
const everyRequest = {
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `http://${sink.host}:${sink.port}/v1/traces`,
  OTEL_TRACES_SAMPLER: "always_on",
};
const names = {
  plain: "heddle",
  tapped: "heddle, tapped",
  traced: "heddle, every request traced",
  envoy: "Envoy, every request traced",
} as const;
/** At most so many times what it is beside. */
const bars: readonly (readonly [of: string, beside: string, wanted: number])[] = [
  [names.traced, names.plain, 1.25],
  [names.traced, names.envoy, 0.4],
  [names.tapped, names.plain, 1.05],
];
const whyBarMs = 300;
const whyRuns = 11;

export async function measureTelemetry(stage: Stage, options: BenchOptions): Promise<string[]> {
  const { programs, folder } = stage;
  const command = [bun, `${import.meta.dir}/otlp_sink.ts`, sink.host, String(sink.port)];
  programs.push(startProgram({ name: "sink", command, log: `${folder}/sink.log`, core: loadCore }));
  await waitFor("the sink listens", async () => ((await accepts(sink.host, sink.port)) ? true : null));
  const plain = await started({ addressFirst: 50 });
  const traced = await started({ addressFirst: 60, proxyEnv: everyRequest });
  try {
    const subjects = new Map<string, Subject>([
      [names.plain, hopOf(plain)],
      [names.tapped, hopOf(plain)],
      [names.traced, hopOf(traced)],
    ]);
    const peer = await startTracedEnvoy(stage);
    if (peer !== null) subjects.set(names.envoy, peer);
    for (const [name, subject] of subjects) {
      note(`telemetry: warms ${name}`);
      await warm(stage, "http1", subject, options);
    }
    const rounds = await interleave([...subjects.keys()], options.rounds, async (name, round) => {
      const run = (): Promise<LoadResult> =>
        closedLoop("http1", subjects.get(name) as Subject, {
          count: options.counts.http1,
          core: loadCore,
          folder,
        });
      const result = name === names.tapped ? await whileTapped(plain, run) : await run();
      note(`telemetry ${round + 1} ${name}: ${result.cost.toFixed(2)} ${loads.http1.cost}`);
      return result;
    });
    const records = await recordBars(hopOf(plain), options);
    const whyMs = await explain(plain);
    return lines(rounds, [...records, why(whyMs)], options);
  } finally {
    await Promise.all([plain.stop(), traced.stop()]);
  }
}

async function started(own: {
  addressFirst: number;
  proxyEnv?: Record<string, string>;
}): Promise<StartedHeddle> {
  const heddle = await startHeddle({ backends, proxyCore, loadCore, wanted: ["hop"], ...own });
  if (typeof heddle === "string") throw new Error(`heddle is absent: ${heddle}`);
  return heddle;
}

function hopOf({ subjects }: StartedHeddle): Subject {
  return subjects.get("hop")?.get("heddle") as Subject;
}

async function startTracedEnvoy(stage: Stage): Promise<Subject | null> {
  const peer = tracedEnvoy(sink);
  const version = peer.version();
  if (version === null) {
    note("absent: Envoy (test/bench/install_peers.sh installs it)");
    return null;
  }
  const { folder } = stage;
  const certificates = await writeCertificates(folder);
  const context = { folder, address: "127.78.2.2", backends, proxyCore, certificates };
  const { programs, subjects } = await startPeer(peer, context, ["hop"]);
  stage.programs.push(...programs);
  stage.versions.set("Envoy", version);
  return subjects.get("hop") ?? null;
}

/** Somebody taps the service at the default rate, until it is over. */
async function whileTapped<T>({ operator }: StartedHeddle, run: () => Promise<T>): Promise<T> {
  const command = ["taskset", "-c", String(loadCore), binaryPath, "tap", "near", "--state", operator];
  const tap = Bun.spawn(command, { env: plainEnvironment(), stdout: "pipe", stderr: "ignore" });
  let seen = 0;
  const reading = (async () => {
    for await (const chunk of tap.stdout) seen += chunk.length;
  })();
  try {
    const result = await run();
    if (seen === 0) throw new Error("Nothing was tapped");
    return result;
  } finally {
    tap.kill("SIGINT");
    await Promise.all([tap.exited, reading]);
  }
}

/** Milliseconds from typing `heddle why ID` to its end. */
async function explain(heddle: StartedHeddle): Promise<number> {
  const { host, port, authority } = hopOf(heddle);
  const took: number[] = [];
  for (let run = 0; run < whyRuns; run++) {
    const id = `why-${run}`;
    await fetch(`http://${host}:${port}/1k`, { headers: { host: authority, "x-request-id": id } });
    const startedMs = performance.now();
    const command = [binaryPath, "why", id, "--state", heddle.operator];
    const { exitCode } = Bun.spawnSync(command, { env: plainEnvironment() });
    took.push(performance.now() - startedMs);
    if (exitCode !== 0) throw new Error(`heddle why ${id} ended with ${exitCode}`);
  }
  return median(took);
}

function why(measured: number): Bar {
  return { title: "heddle why", wanted: whyBarMs, measured, unit: " ms" };
}

function lines(
  rounds: ReadonlyMap<string, readonly LoadResult[]>,
  others: readonly Bar[],
  { rounds: count, counts }: BenchOptions,
): string[] {
  const costs = new Map([...rounds].map(([name, runs]) => [name, runs.map(({ cost }) => cost)]));
  const rows = [...rounds].map(([name, runs]) => {
    const of = costs.get(name) ?? [];
    const spread = `${Math.min(...of).toFixed(2)}–${Math.max(...of).toFixed(2)}`;
    const beside = ratioOf(costs, name, names.plain);
    return row([
      name,
      median(of).toFixed(2),
      spread,
      beside.toFixed(2),
      median(runs.map(({ rate }) => rate)).toFixed(0),
    ]);
  });
  const measured = bars.flatMap(([of, beside, wanted]): Bar[] =>
    costs.has(of) && costs.has(beside)
      ? [{ title: `CPU of ${of} ÷ ${beside}`, wanted, measured: ratioOf(costs, of, beside), unit: "" }]
      : [],
  );
  return [
    `One clear HTTP/1.1 hop. ${count} interleaved rounds of ${counts.http1} requests over 32 connections; a ratio is the median of those of the rounds.`,
    `What is sent by OTLP goes to a receiver on the core of the load. The tap shows 100 requests a second. \`heddle why\`: median of ${whyRuns}.`,
    "A record: of a request whose trace is not sampled, in a process of its own. What records are of a proxy's time: two without a trace, by its time for a request.",
    "",
    ...tableHead([loads.http1.cost, "spread", "÷ heddle", loads.http1.rate]),
    ...rows,
    "",
    ...barTable([...measured, ...others]),
  ];
}

/** Of the costs round by round: a machine that is slower in one of them is for both. */
function ratioOf(costs: ReadonlyMap<string, readonly number[]>, of: string, beside: string): number {
  const [mine, theirs] = [costs.get(of) ?? [], costs.get(beside) ?? []];
  return median(mine.map((cost, round) => cost / (theirs[round] as number)));
}
