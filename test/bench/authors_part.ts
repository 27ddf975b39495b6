/** What authors of policies wait for: from a save to what `heddle dev` serves, a check of a project, a replay of recorded requests. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { binaryPath } from "../../compile/repository.ts";
import { ports } from "../../src/model/ports.ts";
import { addressOf } from "../support/addresses.ts";
import { heddleRunning } from "../support/command.ts";
import { waitFor } from "../support/processes.ts";
import { median } from "./rounds.ts";
import { note } from "./stage.ts";
import { barTable } from "./tables.ts";

const saves = 20;
const checks = 10;
const checkedFiles = 20;
const requests = 100_000;
const bars = { liveMs: 1_000, checkCpuS: 2, replayedPerSecond: 50_000 } as const;

export async function measureAuthors(): Promise<string[]> {
  note("authors: save to live, check, replay");
  const folder = mkdtempSync(`${tmpdir()}/heddle-authors-`);
  try {
    const liveMs = await liveAfter(folder);
    heddle(folder, "policy", "new", "night-shift");
    const replayed = replayedPerSecond(folder);
    const checkS = Array.from({ length: checks }, () => checkCpuS(folder));
    return [
      `From a save to the first answer by it in \`heddle dev\`: ${median(liveMs).toFixed(0)} ms (median of ${saves}, at most ${Math.max(...liveMs).toFixed(0)}).`,
      `\`heddle policy check\` of ${checkedFiles} policies: ${median(checkS).toFixed(2)} s of processor time (median of ${checks}).`,
      `\`heddle policy replay\` of ${requests} requests on one processor: ${replayed.toFixed(0)} in a second.`,
      "",
      ...barTable([
        { title: "save to live", wanted: bars.liveMs, measured: median(liveMs), unit: " ms" },
        { title: "check", wanted: bars.checkCpuS, measured: median(checkS), unit: " s" },
        {
          title: "replay, of 100,000 requests",
          wanted: requests / bars.replayedPerSecond,
          measured: requests / replayed,
          unit: " s",
        },
      ]),
    ];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const live = (round: number): string => `import { definePolicy, pass } from "heddle/policy";
import * as v from "valibot";
export default definePolicy({
  api: 1, name: "live", version: "1.0.${round}", options: v.strictObject({}), onError: "open",
  onResponse() { return pass({ headers: { set: { "x-live": "${round}" } } }); },
});
`;

/** Milliseconds of each save. */
async function liveAfter(folder: string): Promise<number[]> {
  const host = addressOf(0);
  const mesh = `${folder}/mesh`;
  mkdirSync(`${mesh}/policies`, { recursive: true });
  const app = Bun.serve({ hostname: host, port: 8080, fetch: () => new Response("hello") });
  const services = [
    { service: "caller", host, port: 8081 },
    { service: "web", host, port: 8080 },
  ];
  writeFileSync(`${mesh}/vm.yaml`, JSON.stringify({ kind: "Machine", name: "vm", address: host, services }));
  writeFileSync(
    `${mesh}/mesh.yaml`,
    "{kind: Service, name: caller, port: 80, protocol: http}\n---\n{kind: Service, name: web, port: 80, protocol: http, policies: [{use: live}]}\n",
  );
  const save = (round: number): void => writeFileSync(`${mesh}/policies/live.ts`, live(round));
  save(0);
  const dev = heddleRunning(["dev", mesh], `${folder}/dev.log`);
  const isLive = async (round: number): Promise<true | null> => {
    const asked = { headers: { host: "web.mesh" } };
    const answer = await fetch(`http://${host}:${ports.outboundFirst}/`, asked).catch(() => null);
    return answer?.headers.get("x-live") === String(round) ? true : null;
  };
  try {
    await waitFor("the first version is live", () => isLive(0), { program: dev });
    const tookMs: number[] = [];
    for (let round = 1; round <= saves; round++) {
      const savedMs = performance.now();
      save(round);
      await waitFor(`version ${round} is live`, () => isLive(round), { program: dev, everyMs: 5 });
      tookMs.push(performance.now() - savedMs);
    }
    return tookMs;
  } finally {
    await dev.stop();
    await app.stop(true);
  }
}

/** Of the command and all that it starts. */
function checkCpuS(folder: string): number {
  const project = `${folder}/checked`;
  mkdirSync(`${project}/policies`, { recursive: true });
  for (let at = 0; at < checkedFiles; at++)
    writeFileSync(
      `${project}/policies/live_${at}.ts`,
      live(at).replace('name: "live"', `name: "live-${at}"`),
    );
  return heddle(folder, "policy", "check", project).cpuS;
}

/** The sample of a new policy again and again, each request under an id of its own. */
function replayedPerSecond(folder: string): number {
  const sample = readFileSync(`${folder}/night-shift/recordings/night_shift.jsonl`, "utf8");
  const [head = "", ...lines] = sample.trim().split("\n");
  const known = lines.map((line) => JSON.parse(line) as { readonly kind: string });
  const asked = known.filter(({ kind }) => kind === "request");
  const many = Array.from({ length: requests }, (_, at) =>
    JSON.stringify({ ...asked[at % asked.length], key: `vm-1 ${at}`, requestId: `r-${at}` }),
  );
  writeFileSync(`${folder}/many.jsonl`, [head, ...many].join("\n"));
  const { out } = heddle(folder, "policy", "replay", "many.jsonl", "night-shift");
  const rate = /, ([\d,]+) in a second/.exec(out)?.[1];
  if (rate === undefined) throw new Error(`A replay said no rate: ${out}`);
  return Number(rate.replaceAll(",", ""));
}

/** On one processor. */
function heddle(folder: string, ...args: readonly string[]): { readonly out: string; readonly cpuS: number } {
  const ran = Bun.spawnSync(["taskset", "-c", "0", binaryPath, ...args], { cwd: folder });
  if (ran.exitCode !== 0) throw new Error(`heddle ${args.join(" ")} failed: ${ran.stderr.toString()}`);
  return { out: ran.stdout.toString(), cpuS: Number(ran.resourceUsage.cpuTime.total) / 1e6 };
}
