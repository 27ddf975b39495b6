/**
 * Rounds of `intercept_part.ts`, inside of a network namespace with nothing in it but loopback. Prints what they cost as a line of JSON.
 */
import { writeFileSync } from "node:fs";
import { ruleset } from "../../src/intercept/rules.ts";
import { sliceOf } from "../../src/intercept/slice.ts";
import { readMeshName, type MeshName } from "../../src/model/mesh_name.ts";
import { ports, redirectedPorts } from "../../src/model/ports.ts";
import { callUrl } from "../support/http_calls.ts";
import { startMesh, type Machine, type Mesh } from "../support/mesh.ts";
import { runProgram } from "../support/processes.ts";
import { enterUnit } from "../support/unit_cgroup.ts";
import { closedLoop, loads } from "./load.ts";
import type { BenchOptions } from "./options.ts";
import type { Subject } from "./peers/peer.ts";
import type { RatioRow, RoundCosts } from "./ratios.ts";
import { backends, loadCore, newStage, note, proxyCore, startLoad, stopStage, type Stage } from "./stage.ts";
import { familyOf } from "./usage.ts";
import { warm } from "./warming.ts";
import { workPlans } from "./works.ts";

const compared = ["hop", "short"] as const;
type Compared = (typeof compared)[number];
export type InterceptRounds = Readonly<Record<Compared, RatioRow>>;
type Asked = Pick<BenchOptions, "rounds" | "counts" | "warmupRounds">;

const unit = `load-${process.pid}.service`;
/** Service of a work, and the explicit port at which it is called; null: the listener for all that speak HTTP. */
const called = { hop: { service: "near", bind: null }, short: { service: "stream", bind: 9_002 } } as const;

async function run(asked: Asked): Promise<InterceptRounds> {
  const stage = newStage();
  const cgroup = enterUnit(unit);
  let mesh: Mesh | null = null;
  try {
    await startLoad(stage, compared);
    mesh = await startInterceptedMesh();
    const machine = mesh.machine("vm-a");
    intercept(machine, stage.folder);
    const names = await namesAt(machine);
    return {
      hop: await rowOf("hop", { stage, mesh, names, asked }),
      short: await rowOf("short", { stage, mesh, names, asked }),
    };
  } finally {
    await mesh?.stop();
    await stopStage(stage);
    cgroup.leave();
  }
}

function startInterceptedMesh(): Promise<Mesh> {
  const said = { unit, intercept: { outbound: "mesh", inbound: "audit" } };
  const calls = { near: "by-name", stream: called.short.bind } as const;
  return startMesh({
    cores: { proxies: proxyCore, others: loadCore },
    documents: [
      "{kind: Service, name: caller, port: 80, protocol: http}",
      "{kind: Service, name: near, port: 8000, protocol: http}",
      "{kind: Service, name: stream, port: 8001, protocol: tcp}",
    ].join("\n---\n"),
    machines: [
      {
        name: "vm-a",
        services: [
          { service: "caller", app: "none", calls, said },
          { service: "near", ...backends.page },
        ],
      },
      { name: "vm-b", services: [{ service: "stream", ...backends.stream }] },
    ],
  });
}

/** The rules that heddle loads, but for the address of a proxy that has all of loopback to itself elsewhere. */
function intercept({ address }: Machine, folder: string): void {
  const exclusions = { addresses: [], places: [], ports: [] };
  const units = [
    { unit, slice: sliceOf(unit), outbound: "mesh", inbound: "audit", ports: [], strict: false } as const,
  ];
  const rules = ruleset({ units, exclusions, ports: redirectedPorts, clear: [] });
  const here = rules.replaceAll("redirect to :", `dnat ip to ${address}:`);
  const file = `${folder}/rules.nft`;
  writeFileSync(file, here);
  runProgram(["nft", "-f", file]);
}

async function namesAt({ address }: Machine): Promise<ReadonlyMap<string, MeshName>> {
  const { text } = await callUrl(`http://${address}:${ports.admin}/config`);
  const { snapshot } = JSON.parse(text) as { readonly snapshot: { readonly names?: readonly string[] } };
  const names = (snapshot.names ?? []).flatMap((line) => readMeshName(line) ?? []);
  return new Map(names.map((each) => [each.service.name, each]));
}

interface Measured {
  readonly stage: Stage;
  readonly mesh: Mesh;
  readonly names: ReadonlyMap<string, MeshName>;
  readonly asked: Asked;
}

async function rowOf(work: Compared, { stage, mesh, names, asked }: Measured): Promise<RatioRow> {
  const { load } = workPlans[work];
  const { service, bind } = called[work];
  const [first, second] = [mesh.machine("vm-a"), mesh.machine("vm-b")];
  const name = names.get(service);
  if (name === undefined) throw new Error(`${service} has no virtual address`);
  const machines = work === "hop" ? [first] : [first, second];
  const shared = {
    authority: `${service}.mesh`,
    pids: () => machines.flatMap(({ proxy }) => familyOf(proxy.pid)),
  };
  const subjects: Readonly<Record<keyof RoundCosts, Subject>> = {
    today: { ...shared, host: name.address, port: name.port },
    other: { ...shared, host: first.address, port: bind ?? first.httpPort("caller") },
  };
  const options = { ...asked } as BenchOptions;
  for (const subject of Object.values(subjects)) await warm(stage, load, subject, options);
  const turn = { count: Math.ceil(asked.counts[load] / 4), core: loadCore, folder: stage.folder };
  const rounds: RoundCosts[] = [];
  for (let round = 0; round < asked.rounds; round++) {
    const costs = { today: 0, other: 0 };
    for (const side of ["today", "other", "other", "today"] as const)
      costs[side] += (await closedLoop(load, subjects[side], turn)).cost / 2;
    note(`intercept, ${work} ${round + 1}: ${(costs.today / costs.other).toFixed(3)}`);
    rounds.push(costs);
  }
  return { name: work, cost: loads[load].cost, rounds };
}

if (import.meta.main) {
  const rows = await run(JSON.parse(process.argv.at(-1) ?? "") as Asked);
  process.stdout.write(`\n${JSON.stringify(rows)}\n`);
}
