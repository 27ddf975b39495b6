/**
 * Upgrades of two machines, again and again, while requests and long streams of every kind go from one to the other: none fails, none
 * is cut, and the memory is what it was. Three rounds; HEDDLE_UPGRADES=20 makes it so many, and HEDDLE_UPGRADE_RATE=2000 makes so many
 * requests a second due, whatever the answers take.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, copyFileSync, writeFileSync } from "node:fs";
import { binaryMissing, binaryPath, root } from "../../../compile/repository.ts";
import { Machines, machinesMissing, type Machine } from "../../support/machines.ts";
import { testMs } from "../../support/patience.ts";
import { startProgram, waitFor, type Program } from "../../support/processes.ts";
import type { UpgradeLoadSaid } from "../../support/upgrade_load.ts";

const why = binaryMissing ? "there is no dist/heddle" : machinesMissing;
const rounds = Number(process.env["HEDDLE_UPGRADES"] ?? 3);
const rate = process.env["HEDDLE_UPGRADE_RATE"];
const shards = Number(process.env["HEDDLE_UPGRADE_SHARDS"] ?? 1);
const limitMs = testMs + rounds * 30_000;

const documents = `
{kind: Service, name: web, port: 80, protocol: http}
---
{kind: Service, name: orders, port: 80, protocol: http}
---
{kind: Service, name: chat, port: 80, protocol: grpc}
---
{kind: Service, name: pipe, port: 5000, protocol: tcp}
`;
const callee = `
kind: Machine
services:
- {service: orders, port: 8080}
- {service: chat, port: 8081}
- {service: pipe, port: 8082}
`;
const caller = `
kind: Machine
services:
- service: web
  port: 8079
  upstreams: [{service: orders, bind: "127.0.0.1:9001"}, {service: chat, bind: "127.0.0.1:9002"}, {service: pipe, bind: "127.0.0.1:9003"}]
`;

describe.skipIf(why !== null)(`two machines${why === null ? "" : ` (skipped: ${why})`}`, () => {
  let machines: Machines;
  let one: Machine;
  let two: Machine;
  const programs: Program[] = [];

  /** A program of these tests, where the machine has its network. */
  function startAt(machine: Machine, file: string, ...words: readonly string[]): Program {
    const entering = ["ip", "netns", "exec", machine.namespace, process.execPath];
    const program = startProgram({
      name: file,
      command: [...entering, `${root}/test/support/${file}`, ...words],
      log: `${machine.folder}/${file}.log`,
    });
    programs.push(program);
    return program;
  }

  beforeAll(async () => {
    machines = await Machines.start(["vm-1", "vm-2"]);
    [one, two] = [machines.get("vm-1"), machines.get("vm-2")];
    for (const { root: files } of [one, two]) {
      copyFileSync(binaryPath, `${files}/root/heddle`);
      chmodSync(`${files}/root/heddle`, 0o755);
    }
    writeFileSync(`${one.root}/root/mesh.yaml`, documents);
    writeFileSync(`${one.root}/root/machine.yaml`, caller);
    writeFileSync(`${two.root}/root/machine.yaml`, callee);
    one.must(`./heddle init --trust-domain corp.example --address ${one.address} --machine machine.yaml`);
    one.must("heddle apply -f mesh.yaml");
    const token = one.must("heddle token create --service orders --service chat --service pipe");
    two.must(`./${/heddle join \S+ hd1\.\S+/.exec(token)?.[0]} --machine machine.yaml`);
    for (const machine of [one, two])
      machine.must(
        `sed -i 's/^{/{"shards": ${shards},/' /var/lib/heddle/heddle.json && systemctl restart heddle-proxy`,
      );
    startAt(two, "upgrade_apps.ts", "8080", "8081", "8082");
    const asked = "curl -fsS -m 5 http://127.0.0.1:9001/hello";
    await waitFor("the app is reached", () => (one.run(asked).code === 0 ? true : null), { everyMs: 100 });
  }, testMs);
  afterAll(async () => {
    for (const program of programs) program.kill("SIGKILL");
    await machines?.stop();
  }, testMs);

  /** Resident kilobytes of the processes of a machine's proxy, and how many there are. */
  function proxyOf(machine: Machine): { readonly kb: number; readonly processes: number } {
    const group = "/sys/fs/cgroup/heddle.slice/heddle-proxy.service/cgroup.procs";
    const lines = machine.must(`ps -o rss= -p $(paste -sd, ${group})`).trim().split("\n");
    return { kb: lines.reduce((sum, line) => sum + Number(line), 0), processes: lines.length };
  }

  test(
    `go on through ${rounds} upgrades each without a failed request or a stream that is cut`,
    async () => {
      const end = `${one.folder}/enough`;
      const load = startAt(
        one,
        "upgrade_load.ts",
        "9001",
        "9002",
        "9003",
        end,
        ...(rate === undefined ? [] : [rate]),
      );
      await Bun.sleep(2_000);
      const before = [one, two].map(proxyOf);
      for (let round = 0; round < rounds; round++)
        for (const machine of [one, two])
          await waitFor(
            `${machine.name} is upgraded`,
            () => {
              const { code, err } = machine.run("heddle upgrade ./heddle", { limitMs: testMs });
              if (code !== 0 && !err.includes("still let what they have open finish")) throw new Error(err);
              return code === 0 ? true : null;
            },
            { everyMs: 1_000 },
          );
      writeFileSync(end, "");
      await load.exited;
      const said = JSON.parse(load.output()) as UpgradeLoadSaid;
      await waitFor("those that were taken over from have ended", () =>
        [one, two].every((machine, at) => proxyOf(machine).processes === before[at]?.processes) ? true : null,
      );
      const after = [one, two].map(proxyOf);
      console.log(JSON.stringify({ ...said, before, after }));
      expect({ failures: said.failures, cut: said.cut }).toEqual({ failures: [], cut: [] });
      expect(said.answered).toBeGreaterThan(rounds * 100);
      expect(Object.values(said.streams).every((count) => count > rounds)).toBe(true);
      for (const [at, { kb }] of after.entries()) expect(kb).toBeLessThan(1.5 * (before[at]?.kb ?? 0));
    },
    limitMs,
  );
});
