/** What compiling the snapshot of a machine costs that calls a thousand services: all of it from documents that are read already. */
import { loadDocuments } from "../../src/config/load.ts";
import { SnapshotCompiler, type CompileInput } from "../../src/controller/compile/snapshot_compiler.ts";
import type { Instance } from "../../src/model/service.ts";
import { median } from "./rounds.ts";
import { note } from "./stage.ts";
import { barTable, row, tableHead } from "./tables.ts";

const services = 1_000;
const endpointsEach = 10;
const rounds = 10;
const cpuMsBar = 200;

export function measureSnapshots(): string[] {
  note(`snapshots: ${rounds} of a machine that calls ${services} services`);
  const input = inputOf();
  const uses = [...input.addresses.keys()];
  const [first, next]: [number[], number[]] = [[], []];
  for (let round = -2; round < rounds; round++) {
    const started = process.cpuUsage();
    const compiler = new SnapshotCompiler(input);
    compiler.compile({ node: "vm-1", services: [serviceAt(1)], uses });
    const one = cpuMsSince(started);
    const again = process.cpuUsage();
    compiler.compile({ node: "vm-2", services: [serviceAt(2)], uses });
    // The first two come before the compiler of the runtime is done.
    if (round < 0) continue;
    first.push(one);
    next.push(cpuMsSince(again));
  }
  return [
    `Milliseconds of processor time for the whole of a snapshot, its version included: ${services} services with ${endpointsEach} endpoints`,
    `and two rules of routes each. Medians of ${rounds}; what machines share is compiled for the first of them.`,
    "",
    ...tableHead(["ms"]),
    row(["first machine", median(first).toFixed(1)]),
    row(["each further one", median(next).toFixed(1)]),
    "",
    ...barTable([{ title: "first machine", wanted: cpuMsBar, measured: median(first), unit: " ms" }]),
  ];
}

function cpuMsSince(started: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(started);
  return (user + system) / 1_000;
}

function serviceAt(at: number): Instance["service"] {
  return { name: `s${at}`, namespace: "default" };
}

function inputOf(): CompileInput {
  const texts = Array.from({ length: services }, (_, at) => documentsAt(at));
  const { documents } = loadDocuments([{ file: "mesh.yaml", text: texts.join("---\n") }], { policies: null });
  const keys = Array.from({ length: services }, (_, at) => `s${at}.default`);
  return {
    trustDomain: "corp.example",
    bundle: { trustDomain: "corp.example", sequence: 1, rootsPem: ["x".repeat(700)] },
    ...{ deniedIds: [], deniedSerials: [], sessionSecret: null, leadsTo: new Map(), policies: new Map() },
    documents: documents.map(({ document }) => document),
    instances: Array.from({ length: services * endpointsEach }, (_, at) => instanceAt(at)),
    addresses: new Map(keys.map((key, at) => [key, `127.100.${at >> 8}.${at & 255}`])),
    drains: new Set(),
    trials: new Map(),
  };
}

function documentsAt(at: number): string {
  return `kind: Service
name: s${at}
port: 80
protocol: http
subsets: {v1: {version: v1}, v2: {version: v2}}
---
kind: HTTPRoute
name: s${at}
service: s${at}
rules:
  - match: {path: /v${at % 7}, headers: {x-user: u${at}}}
    split: {s${at}/v2: 100}
  - split: {s${at}/v1: 95, s${at}/v2: 5}
    timeouts: {request: 2s}
`;
}

function instanceAt(at: number): Instance {
  const node = `vm-${at % 97}`;
  const service = serviceAt(at % services);
  const port = 8_000 + Math.floor(at / services);
  const labels = { version: at % 2 === 0 ? "v1" : "v2" };
  const id = `${node}/${service.name}.default/${port}`;
  return { id, service, node, address: "10.0.0.1", port: 7_445, labels, ready: true, zone: "a" };
}
