/**
 * A whole mesh for tests and benchmarks, made as a user makes one: the compiled binary, `heddle init`, `token create`,
 * `join` and `apply`, then registry, controller and one proxy per machine as processes of their own. A machine is a
 * loopback address and a state folder. Addresses differ from one launching process to the next, so runs side by side do not meet.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { binaryPath, bun, root } from "../../compile/repository.ts";
import type { StatusAnswer, TokenAnswer } from "../../src/api/messages.ts";
import { ports } from "../../src/model/ports.ts";
import { serviceKey } from "../../src/model/service.ts";
import type { Snapshot } from "../../src/model/snapshot.ts";
import { addressOf } from "./addresses.ts";
import { MeshProcess } from "./mesh_process.ts";
import { accepts, plainEnvironment, runProgram, startProgram, waitFor, type Program } from "./processes.ts";
import { hangMs } from "./patience.ts";

export interface MeshOptions {
  readonly machines: readonly MachinePlan[];
  /** YAML, applied once every machine has joined. */
  readonly documents: string;
  /** Folder of policies beside the documents: file name to text. */
  readonly policies?: Readonly<Record<string, string>>;
  /** `etcd://…`, instead of a file. */
  readonly store?: string;
  /** Lifetime of certificates, as the flag takes it: `4s`. */
  readonly leafTtl?: string;
  /** Flags of every `heddle proxy`. */
  readonly proxyFlags?: readonly string[];
  /** What every `heddle proxy` has in its environment besides. */
  readonly proxyEnv?: Readonly<Record<string, string>>;
  /** Event loops of every proxy; default: HEDDLE_TEST_SHARDS, else one. */
  readonly shards?: number;
  /** Default: what this repository compiled. */
  readonly binary?: string;
  /** Index of its first loopback address: a mesh has as many as it has machines, and one. Meshes of one process take different ones. */
  readonly addressFirst?: number;
  /** Processors of the proxies and of everything else. */
  readonly cores?: { readonly proxies: number; readonly others: number };
}

export interface MachinePlan {
  readonly name: string;
  readonly zone?: string;
  readonly services: readonly ServicePlan[];
  /** Gateways that it runs, of the documents. */
  readonly gateways?: readonly string[];
}

export interface ServicePlan {
  readonly service: string;
  /** What runs: an app of test/support/apps.ts, or nothing (it only calls, or the test brings it). Default `http`. */
  readonly app?: "http" | "tcp" | "none";
  /** Where it listens when the test brings it. */
  readonly host?: string;
  readonly port?: number;
  readonly version?: string;
  /** Services that it calls; a number is an explicit local port. */
  readonly calls?: Readonly<Record<string, number | "by-name">>;
  /** What else its Machine document says of it: the unit that it is, and whether that is intercepted. */
  readonly said?: Readonly<Record<string, unknown>>;
}

export interface Machine {
  readonly name: string;
  readonly address: string;
  readonly state: string;
  readonly proxy: MeshProcess;
  readonly apps: ReadonlyMap<string, Program>;
  /** The HTTP outbound listener of one of its services. */
  httpPort(service: string): number;
  /** Starts an app again that was killed. */
  startApp(service: string): Promise<void>;
}

export interface Mesh {
  readonly folder: string;
  readonly registry: MeshProcess;
  readonly controller: MeshProcess;
  machine(name: string): Machine;
  /** Runs the binary as the operator; returns what it printed, throws when it fails. */
  heddle(...args: string[]): string;
  status(): StatusAnswer;
  apply(documents: string): void;
  /** Until every machine holds the snapshot meant for it, with all instances of what its services call. */
  settled(limitMs?: number): Promise<void>;
  stop(): Promise<void>;
}

const appPortFirst = 8_080;
/** A service without an app still needs a port to be declared with. */
const noApp = 9;

export async function startMesh(options: MeshOptions): Promise<Mesh> {
  const folder = mkdtempSync(`${tmpdir()}/heddle-mesh-`);
  const mesh = new TestMesh(folder, options);
  try {
    await mesh.start();
  } catch (error) {
    const said = mesh.logs();
    await mesh.stop();
    throw new Error(`Cannot start the mesh: ${(error as Error).message}\n${said}`);
  }
  return mesh;
}

class TestMesh implements Mesh {
  readonly registry: MeshProcess;
  readonly controller: MeshProcess;
  readonly binary: string;
  readonly #control: string;
  readonly #machines = new Map<string, TestMachine>();

  constructor(
    readonly folder: string,
    readonly options: MeshOptions,
  ) {
    this.binary = options.binary ?? binaryPath;
    this.#control = this.#addressOf(0);
    const mode = (name: "registry" | "controller", port: number): MeshProcess =>
      new MeshProcess({
        name,
        command: [this.binary, name, "--state", `${folder}/control`],
        log: `${folder}/${name}.log`,
        ready: () => accepts(this.#control, port),
        ...coreOf(options.cores?.others),
      });
    this.registry = mode("registry", ports.registry);
    this.controller = mode("controller", ports.controller);
  }

  async start(): Promise<void> {
    const { leafTtl, store } = this.options;
    const at = ["--address", this.#control, "--loopback", this.#control];
    const ttl = leafTtl === undefined ? [] : ["--leaf-ttl", leafTtl];
    const kept = store === undefined ? [] : ["--store", store];
    const named = ["--node", "control", "--trust-domain", "mesh.test"];
    this.heddle("init", "--no-start", ...named, ...at, ...ttl, ...kept);
    await this.registry.start();
    await this.controller.start();
    for (const [index, plan] of this.options.machines.entries()) {
      const machine = new TestMachine(this, plan, this.#addressOf(index + 1));
      this.#machines.set(plan.name, machine);
      await machine.join(`${this.#control}:${ports.controller}`);
    }
    this.apply(this.options.documents);
    await Promise.all([...this.#machines.values()].map((machine) => machine.start()));
    await this.settled();
  }

  #addressOf(index: number): string {
    return addressOf((this.options.addressFirst ?? 0) + index);
  }

  machine(name: string): Machine {
    const machine = this.#machines.get(name);
    if (machine === undefined) throw new Error(`There is no machine "${name}" in this mesh`);
    return machine;
  }

  heddle(...args: string[]): string {
    return runProgram([this.binary, ...args], {
      env: plainEnvironment({ HEDDLE_STATE: `${this.folder}/control`, NO_COLOR: "1" }),
    });
  }

  status(): StatusAnswer {
    return JSON.parse(this.heddle("status", "--output", "json")) as StatusAnswer;
  }

  apply(documents: string): void {
    const folder = `${this.folder}/documents`;
    mkdirSync(`${folder}/policies`, { recursive: true });
    writeFileSync(`${folder}/mesh.yaml`, documents);
    for (const [file, text] of Object.entries(this.options.policies ?? {})) {
      writeFileSync(`${folder}/policies/${file}`, text);
    }
    this.heddle("apply", "-f", folder);
  }

  async settled(limitMs = hangMs): Promise<void> {
    let missing: readonly string[] = [];
    const check = async (): Promise<true | null> => {
      missing = await this.#unsettled();
      return missing.length === 0 ? true : null;
    };
    await waitFor("the mesh has settled", check, { limitMs, everyMs: 50 }).catch((error: Error) => {
      throw new Error(`${error.message}: ${missing.join("; ")}`);
    });
  }

  /** What a settled mesh would not have, one sentence each. */
  async #unsettled(): Promise<readonly string[]> {
    const { nodes } = this.status();
    const machines = [...this.#machines.values()];
    const behind = machines.flatMap(({ name }) => {
      const node = nodes.find((each) => each.name === name);
      const current = node?.connected === true && node.wanted !== "" && node.wanted === node.acknowledged;
      return current ? [] : [`${name} is behind: ${JSON.stringify(node)}`];
    });
    if (behind.length > 0) return behind;
    return (await Promise.all(machines.map((each) => each.misses((key) => this.#copiesOf(key))))).flat();
  }

  /** How many instances of a service there are when all are well. */
  #copiesOf(key: string): number {
    const services = this.options.machines.flatMap((machine) => machine.services.filter(hasApp));
    return services.filter(({ service }) => serviceKey(named(service)) === key).length;
  }

  /** The last words of every process. */
  logs(): string {
    const processes = [
      this.registry,
      this.controller,
      ...[...this.#machines.values()].map((each) => each.proxy),
    ];
    return processes.map((each) => `-- ${each.name}\n${each.output().slice(-1_500)}`).join("\n");
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#machines.values()].map((machine) => machine.stop()));
    await Promise.all([this.registry.stop(), this.controller.stop()]);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

class TestMachine implements Machine {
  readonly state: string;
  readonly proxy: MeshProcess;
  readonly apps = new Map<string, Program>();

  constructor(
    readonly mesh: TestMesh,
    readonly plan: MachinePlan,
    readonly address: string,
  ) {
    this.state = `${mesh.folder}/${plan.name}`;
    const { cores, proxyFlags = [], proxyEnv = {} } = mesh.options;
    const shards = String(mesh.options.shards ?? process.env["HEDDLE_TEST_SHARDS"] ?? 1);
    this.proxy = new MeshProcess({
      name: `proxy of ${plan.name}`,
      command: [mesh.binary, "proxy", "--state", this.state, ...proxyFlags],
      log: `${mesh.folder}/${plan.name}.log`,
      ready: () => isReady(address),
      env: { HEDDLE_SHARDS: shards, ...proxyEnv },
      ...coreOf(cores?.proxies),
    });
  }

  get name(): string {
    return this.plan.name;
  }

  httpPort(service: string): number {
    const index = this.plan.services.findIndex((each) => each.service === service);
    if (index < 0) throw new Error(`${this.name} runs no "${service}"`);
    return ports.outboundFirst + index;
  }

  /** With a token for exactly its services and gateways, from a Machine document. */
  async join(controller: string): Promise<void> {
    const { mesh, name, address } = this;
    const services = this.plan.services.flatMap(({ service }) => ["--service", service]);
    const gateways = (this.plan.gateways ?? []).flatMap((gateway) => ["--gateway", gateway]);
    const made = mesh.heddle("token", "create", ...services, ...gateways, "--output", "json");
    const { token } = JSON.parse(made) as TokenAnswer;
    const machine = `${mesh.folder}/${name}.machine.yaml`;
    writeFileSync(machine, this.#document());
    const at = ["--address", address, "--loopback", address];
    const flags = ["--node", name, "--machine", machine, "--state", this.state, ...at];
    mesh.heddle("join", controller, token, "--no-start", ...flags);
  }

  async start(): Promise<void> {
    await Promise.all(this.plan.services.filter(hasApp).map(({ service }) => this.startApp(service)));
    await this.proxy.start();
  }

  async startApp(service: string): Promise<void> {
    const index = this.plan.services.findIndex((each) => each.service === service);
    const plan = this.plan.services[index];
    if (plan === undefined || plan.app === "none" || plan.host !== undefined) return;
    const { app = "http", version = "v1" } = plan;
    const port = appPort(plan, index);
    const args = [app, this.address, String(port), service, version];
    const program = startProgram({
      name: `${service} of ${this.name}`,
      command: [bun, `${root}/test/support/apps.ts`, ...args],
      log: `${this.mesh.folder}/${this.name}-${service}.log`,
      ...coreOf(this.mesh.options.cores?.others),
    });
    this.apps.set(service, program);
    const ready = async () => ((await accepts(this.address, port)) ? true : null);
    await waitFor(`${program.name} accepts`, ready, { program });
  }

  /** The services that its services call and whose ready instances its snapshot has not all, with those it has. */
  async misses(copiesOf: (key: string) => number): Promise<readonly string[]> {
    const config = await adminPage(this.address, "/config");
    if (config === null) return [`${this.name} does not show its configuration`];
    const { snapshot } = JSON.parse(config) as { readonly snapshot: Snapshot | null };
    const called = this.plan.services.flatMap(({ calls = {} }) => Object.keys(calls));
    return called.flatMap((service) => {
      const key = serviceKey(named(service));
      const found = snapshot?.destinations.find((each) => serviceKey(each.service) === key);
      const ready = found?.endpoints.filter((each) => each.ready).length;
      if (ready === copiesOf(key)) return [];
      return [`${this.name} knows of ${key} ${JSON.stringify(found?.endpoints) ?? "nothing"}`];
    });
  }

  async stop(): Promise<void> {
    await this.proxy.stop();
    await Promise.all([...this.apps.values()].map((app) => app.stop()));
  }

  /** JSON is YAML. */
  #document(): string {
    const services = this.plan.services.map((plan, index) => ({
      service: plan.service,
      host: plan.host ?? this.address,
      port: appPort(plan, index),
      httpPort: ports.outboundFirst + index,
      labels: { version: plan.version ?? "v1" },
      health: { every: "500ms" },
      upstreams: Object.entries(plan.calls ?? {}).map(([service, port]) =>
        port === "by-name" ? { service } : { service, bind: `${this.address}:${port}` },
      ),
      ...plan.said,
    }));
    const { name, zone, gateways = [] } = this.plan;
    const document = {
      kind: "Machine",
      name,
      address: this.address,
      ...(zone === undefined ? {} : { zone }),
      ...(gateways.length === 0 ? {} : { gateways }),
      services,
    };
    return JSON.stringify(document, null, 2);
  }
}

function appPort(plan: ServicePlan, index: number): number {
  if (plan.port !== undefined) return plan.port;
  return plan.app === "none" ? noApp : appPortFirst + index;
}

function hasApp(plan: ServicePlan): boolean {
  return plan.app !== "none";
}

function named(service: string): { name: string; namespace: string } {
  const [name = "", namespace = "default"] = service.split(".");
  return { name, namespace };
}

function coreOf(core: number | undefined): { core?: number } {
  return core === undefined ? {} : { core };
}

async function isReady(address: string): Promise<boolean> {
  return (await adminPage(address, "/ready")) !== null;
}

/** null unless it answers 200. */
async function adminPage(address: string, path: string): Promise<string | null> {
  try {
    const answer = await fetch(`http://${address}:${ports.admin}${path}`, {
      signal: AbortSignal.timeout(1_000),
    });
    const text = await answer.text();
    return answer.ok ? text : null;
  } catch {
    return null;
  }
}
