/** What it costs to tell who calls, for each new connection of a local app on a machine of attached units. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { createRuntime } from "../../runtime/bun/runtime.ts";
import { UnitCallers } from "../../src/app/unit_callers.ts";
import { loadMachine } from "../../src/config/load.ts";
import { UnitCgroups } from "../../src/systemd/unit_cgroups.ts";
import { processorClock } from "../support/processor_time.ts";
import { median } from "./rounds.ts";
import { note } from "./stage.ts";
import { barTable, row, tableHead } from "./tables.ts";

const batches = 200;
const callersPerBatch = 500;
const units = 300;
const usBar = 15;
const host = "127.0.0.1";

export async function measureCallers(): Promise<string[]> {
  note(`callers: ${batches} batches of ${callersPerBatch}, and looks through ${units} units`);
  const known = await knownUs();
  const looked = await lookedMs();
  return [
    `Processor time: median of ${batches} batches of ${callersPerBatch} connections whose unit is known by its cgroup; and of a look through all cgroups of ${units} units, which a unit's first connection waits for.`,
    "",
    ...tableHead(["processor time"]),
    row(["a connection of a known unit", `${known.toFixed(1)} µs`]),
    row([`a look through ${units} units`, `${looked.toFixed(1)} ms`]),
    "",
    ...barTable([{ title: "a connection of a known unit", wanted: usBar, measured: known, unit: " µs" }]),
  ];
}

async function knownUs(): Promise<number> {
  const runtime = createRuntime();
  const text = "{kind: Machine, services: [{service: web, port: 80, unit: web.service}]}";
  const machine = loadMachine("machine.yaml", text).machine;
  if (machine === null) throw new Error("That is no Machine document");
  const callers = new UnitCallers({ runtime, machine: () => machine, recorder: { limitTripped() {} } });
  const server = Bun.listen({ hostname: host, port: 0, socket: { data() {} } });
  const client = await Bun.connect({ hostname: host, port: server.port, socket: { data() {} } });
  const socket = { remoteAddress: host, remotePort: client.localPort, localPort: server.port };
  const ask = (): Promise<void> =>
    new Promise((done) => callers.of({ socket, host, owner: null }, () => done()));
  await ask();
  const costs: number[] = [];
  for (let batch = -batches / 10; batch < batches; batch++) {
    const spent = processorClock();
    for (let at = 0; at < callersPerBatch; at++) callers.of({ socket, host, owner: null }, () => {});
    if (batch >= 0) costs.push((spent() * 1_000) / callersPerBatch);
  }
  client.end();
  server.stop(true);
  callers.close();
  return median(costs);
}

async function lookedMs(): Promise<number> {
  const root = mkdtempSync(`${tmpdir()}/heddle-cgroups-`);
  try {
    for (let at = 0; at < units; at++)
      mkdirSync(`${root}/system.slice/unit-${at}.service`, { recursive: true });
    const { files, clock } = createRuntime();
    const cgroups = new UnitCgroups({ files, clock, root });
    const costs: number[] = [];
    for (let at = 0; at < 20; at++) {
      const spent = processorClock();
      await cgroups.find(-1 - at);
      costs.push(spent());
    }
    return median(costs);
  } finally {
    rmSync(root, { recursive: true });
  }
}
