/**
 * A fleet: followers of a real controller over mTLS, many identities in this one process, each with a loopback address of its own, which
 * take patches and acknowledge them as proxies do. What a change of one endpoint costs the controller, and what a storm of reconnects does.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { createRuntime } from "../../runtime/bun/runtime.ts";
import type { Net } from "../../runtime/contract.ts";
import { binaryPath } from "../../compile/repository.ts";
import type { ControlClient, ControlIdentity, ControlStream } from "../../src/api/control.ts";
import { createControlClient } from "../../src/api/control_client.ts";
import { controllerPaths, registryKeys } from "../../src/api/messages.ts";
import { RegistryClient } from "../../src/api/registry_client.ts";
import type { SnapshotLine } from "../../src/api/snapshot_messages.ts";
import { Shard } from "../../src/http/shard.ts";
import { Authority } from "../../src/identity/authority.ts";
import type { AuthorityState } from "../../src/identity/authority_state.ts";
import { generateKey } from "../../src/identity/keys.ts";
import { controllerId, nodeId, serviceId } from "../../src/model/identity.ts";
import { ports } from "../../src/model/ports.ts";
import type { Instance, Node } from "../../src/model/service.ts";
import { addressOf } from "../support/addresses.ts";
import { accepts, plainEnvironment, runProgram, startProgram, waitFor } from "../support/processes.ts";
import { note } from "./stage.ts";
import { barTable } from "./tables.ts";
import { cpuNanos, residentMb } from "./usage.ts";

const runtime = createRuntime();
const { clock, random } = runtime;
const trustDomain = "fleet.test";
const address = addressOf(200);
const registered = 60_000;

export interface FleetSize {
  readonly followers: number;
  readonly services: number;
  /** Of the services, so many are called by each machine. */
  readonly uses: number;
  readonly changes: number;
}

const fleetSize: FleetSize = { followers: 2_000, services: 200, uses: 20, changes: 10 };

export async function measureFleet(size: FleetSize = fleetSize): Promise<string[]> {
  const folder = mkdtempSync(`${tmpdir()}/heddle-fleet-`);
  const started: { stop(): Promise<void> }[] = [];
  try {
    const mesh = await startControl(folder, started);
    return await measureIn(mesh, size);
  } finally {
    for (const each of started.reverse()) await each.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Control {
  readonly state: string;
  readonly controller: number;
  readonly authority: Authority;
  identityOf(spiffeId: string): Promise<ControlIdentity>;
}

async function startControl(folder: string, started: { stop(): Promise<void> }[]): Promise<Control> {
  const env = plainEnvironment({ HEDDLE_STATE: folder });
  const at = ["--address", address, "--loopback", address];
  runProgram([binaryPath, "init", "--no-start", "--trust-domain", trustDomain, "--node", "control", ...at], {
    env,
  });
  const mode = async (name: "registry" | "controller", port: number): Promise<number> => {
    const program = startProgram({ name, command: [binaryPath, name], log: `${folder}/${name}.log`, env });
    started.push(program);
    await waitFor(`the ${name} accepts`, async () => ((await accepts(address, port)) ? true : null), {
      program,
    });
    return program.pid;
  };
  await mode("registry", ports.registry);
  const controller = await mode("controller", ports.controller);
  const state = JSON.parse(readFileSync(`${folder}/authority/authority.json`, "utf8")) as AuthorityState;
  const authority = new Authority(
    { ...state, leafMsMax: 24 * 3_600_000 },
    async () => {},
    () => clock.wallMs(),
  );
  const { rootsPem } = authority.bundle;
  return {
    state: folder,
    controller,
    authority,
    identityOf: async (spiffeId) => {
      const { publicKey, privatePem: keyPem } = generateKey();
      const { chainPem } = await authority.issue({ spiffeId, publicKey, ttlMs: 3_600_000 });
      return { credential: { chainPem, keyPem }, rootsPem };
    },
  };
}

/** From an address of its own: whoever counts by source sees many. */
function linkTo(port: number, identity: ControlIdentity, number: number): ControlClient {
  const localAddress = `127.${40 + (process.pid % 50)}.${number >> 8}.${number & 255 || 1}`;
  const net: Net = {
    ...runtime.net,
    connect: (options, dial) => runtime.net.connect({ ...options, localAddress }, dial),
  };
  const servers = [{ host: address, port }];
  const options = { net, clock, shard: new Shard(clock), servers, identity: () => identity };
  return createControlClient({ ...options, expect: () => true, serverName: "control.heddle" });
}

class Follower {
  #stream: ControlStream | null = null;
  version = "";
  bytes = 0;

  constructor(
    readonly control: ControlClient,
    readonly uses: readonly string[],
    readonly heard: (line: SnapshotLine) => void,
  ) {}

  follow(): void {
    const line = (message: unknown): void => this.#take(message as SnapshotLine);
    const ended = (): void => void clock.after(100 + random.unit() * 400, () => this.follow());
    const path = `${controllerPaths.snapshots}?patches`;
    const body = { version: this.version, uses: this.uses };
    this.#stream = this.control.stream(path, { line, ended }, body, { both: true });
  }

  leave(): void {
    this.#stream?.close();
  }

  #take(line: SnapshotLine): void {
    if (line.kind !== "snapshot" && line.kind !== "patch" && line.kind !== "current") return;
    this.bytes += JSON.stringify(line).length;
    this.version = line.kind === "snapshot" ? line.snapshot.version : line.version;
    this.heard(line);
    const reply = { version: this.version, error: null, certificates: [] };
    if (this.#stream?.send({ kind: "reply", ...reply }) !== true)
      this.control.call("POST", controllerPaths.reply, reply).catch(() => undefined);
  }
}

async function measureIn(control: Control, size: FleetSize): Promise<string[]> {
  const { followers: count, services, uses, changes } = size;
  const registry = await fill(control, size);
  note(`fleet: ${count} followers of ${services} services, ${uses} called by each`);
  let heard = 0;
  const keys = Array.from({ length: services }, (_, at) => `s${at}.default`);
  const followers: Follower[] = [];
  for (let at = 0; at < count; at++) {
    const identity = await control.identityOf(nodeId(trustDomain, `n${at}`));
    const own = Array.from({ length: uses }, (_, each) => keys[(at + each * 7) % services] as string);
    // The first service is called by everybody: its change is for all.
    followers.push(
      new Follower(linkTo(ports.controller, identity, at + 1), ["s0.default", ...own], () => void heard++),
    );
  }
  const all = async (what: string, wanted: number): Promise<number> => {
    const sinceMs = clock.now();
    await waitFor(what, () => (heard >= wanted ? true : null), { limitMs: 300_000, everyMs: 5 });
    return clock.now() - sinceMs;
  };
  for (const each of followers) each.follow();
  const joinedMs = await all("every follower has its snapshot", count);
  await settle(control);
  for (const each of followers) each.bytes = 0;
  const micros: number[] = [];
  const lastMs: number[] = [];
  for (let change = 0; change < changes; change++) {
    heard = 0;
    const before = cpuNanos([control.controller]);
    await registry.toggle(change % 2 === 0);
    lastMs.push(await all("every follower has the change", count));
    await settle(control);
    micros.push((cpuNanos([control.controller]) - before) / 1_000 / count);
  }
  const bytes = followers.reduce((sum, each) => sum + each.bytes, 0) / count / changes;
  const rssMb = residentMb(control.controller);
  heard = 0;
  for (const each of followers) each.leave();
  for (const each of followers) each.follow();
  const stormMs = await all("every follower is back", count);
  const middle = (values: readonly number[]): number =>
    [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
  return [
    `${count} followers, ${services} services, ${uses + 1} called by each; one endpoint of a service that all call changes, ${changes} times.`,
    `All connected ${(joinedMs / 1_000).toFixed(1)} s after the first began. A change reached the last one after ${Math.round(middle(lastMs))} ms (median; at most ${Math.round(Math.max(...lastMs))} ms), with ${Math.round(bytes)} bytes for each.`,
    "",
    ...barTable([
      {
        title: "controller CPU per follower and change, replies included",
        wanted: 50,
        measured: middle(micros),
        unit: " µs",
      },
      { title: "RSS of the controller", wanted: 1_500, measured: rssMb, unit: " MB" },
      { title: "storm of reconnects", wanted: 60, measured: stormMs / 1_000, unit: " s" },
    ]),
  ];
}

/** Until the controller has nothing more to do. */
async function settle(control: Control): Promise<void> {
  for (let quiet = 0, before = 0; quiet < 3;) {
    await new Promise<void>((resolve) => clock.after(200, resolve));
    const now = cpuNanos([control.controller]);
    quiet = now - before < 10_000_000 ? quiet + 1 : 0;
    before = now;
  }
}

/** Machines and services, with one instance each; `toggle` makes that of the first service ready, or not. */
async function fill(control: Control, { followers, services }: FleetSize) {
  const identity = await control.identityOf(controllerId(trustDomain, "control"));
  const client = new RegistryClient(linkTo(ports.registry, identity, 9_001), clock, random);
  const names = Array.from({ length: services }, (_, at) => ({ name: `s${at}`, namespace: "default" }));
  const machine = (name: string, own: Node["services"]): Node => {
    return { name, services: own, publicKey: "", joinedMs: 1, removed: false };
  };
  const hosts = names.map((service, at) => machine(`h${at}`, [service]));
  const nodes = [...hosts, ...Array.from({ length: followers }, (_, at) => machine(`n${at}`, []))];
  const operations = nodes.map((node) => {
    return { do: "put", key: registryKeys.nodes + node.name, value: JSON.stringify(node) } as const;
  });
  await client.commit([], operations);
  const instanceOf = (at: number, ready: boolean): Instance => {
    const service = names[at] as (typeof names)[number];
    const id = `h${at}/s${at}.default/8080`;
    return { id, service, node: `h${at}`, address: "10.0.0.1", port: 7445, labels: { version: "v1" }, ready };
  };
  const documents = names
    .map(({ name }) => `{kind: Service, name: ${name}, port: 80, protocol: http}`)
    .join("\n---\n");
  const file = `${control.state}/fleet.yaml`;
  await Bun.write(file, documents);
  runProgram([binaryPath, "apply", "-f", file], { env: plainEnvironment({ HEDDLE_STATE: control.state }) });
  const links = new Map<number, RegistryClient>();
  const register = async (at: number, ready: boolean): Promise<void> => {
    const service = names[at] as (typeof names)[number];
    const own =
      links.get(at) ??
      new RegistryClient(
        linkTo(ports.registry, await control.identityOf(serviceId(trustDomain, service)), 10_000 + at),
        clock,
        random,
      );
    links.set(at, own);
    await own.register(instanceOf(at, ready), registered);
  };
  for (let at = 0; at < services; at++) await register(at, true);
  return { toggle: (isDown: boolean) => register(0, !isDown) };
}
