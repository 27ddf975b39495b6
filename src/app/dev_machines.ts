/**
 * The machines of `heddle dev`, as the Machine documents of its folder say: each is a proxy on a loopback address of its own.
 * The first one holds the control plane, which stays when that document goes; the others join it as they would anywhere.
 */
import type { Runtime } from "../../runtime/contract.ts";
import type { ControlClient } from "../api/control.ts";
import { controllerPaths, type HealthAnswer } from "../api/messages.ts";
import { UserError } from "../base/user_error.ts";
import { ownServices, type MachineDocument } from "../model/document.ts";
import { limits } from "../model/limits.ts";
import { ports } from "../model/ports.ts";
import { startController } from "./controller_mode.ts";
import { initializeMesh } from "./init.ts";
import { joinMesh } from "./join.ts";
import { readMachine } from "./machine_document.ts";
import type { TextFile } from "./machine_files.ts";
import { openOperator } from "./operator.ts";
import { startProxy, type RunningProxy } from "./proxy_mode.ts";
import { startRegistry } from "./registry_mode.ts";
import type { Running } from "./running.ts";
import type { Settings } from "./settings.ts";
import { stateFolder, type StateFolder } from "./state_folder.ts";

/** What one is to be. */
export interface PlannedMachine {
  readonly name: string;
  readonly source: TextFile;
  readonly document: MachineDocument;
}

interface DevMachine {
  readonly text: string;
  readonly proxy: RunningProxy;
}

/** All of them; throws what is wrong with the first that cannot be used. */
export function planMachines(files: readonly TextFile[]): readonly PlannedMachine[] {
  const sources = files.length > 0 ? files : [{ file: "dev", text: "kind: Machine\nname: dev\n" }];
  const planned = sources.map((source, at) => {
    const document = readMachine(source);
    return { name: document.name === "" ? `dev-${at}` : document.name, source, document };
  });
  const names = planned.map(({ name }) => name);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) throw new UserError(`There are two Machine documents named ${twice}`);
  return planned;
}

export class DevMachines {
  readonly #machines = new Map<string, DevMachine>();
  readonly #modes: Running[] = [];
  #controllers: Settings["controllers"] = [{ host: "127.0.0.1", port: ports.controller }];
  #operator: ControlClient | null = null;
  /** By name: a machine that comes back has the folder that it had. */
  readonly #folders = new Map<string, StateFolder>();

  constructor(
    readonly runtime: Runtime,
    readonly root: string,
    readonly said: (text: string) => void,
    /** Event loops of each. */
    readonly shards: number | "auto",
  ) {}

  get operator(): ControlClient {
    if (this.#operator === null) throw new Error("The control plane of dev has not begun");
    return this.#operator;
  }

  get summaries(): readonly string[] {
    return [...this.#modes, ...this.#proxies()].map(({ summary }) => summary);
  }

  get examples(): readonly string[] {
    return this.#proxies().flatMap(({ examples }) => examples);
  }

  /** The control plane and the first machines. */
  async begin(planned: readonly PlannedMachine[]): Promise<void> {
    const [first, ...others] = planned;
    if (first === undefined) throw new Error("dev began without a machine");
    const { runtime } = this;
    const state = this.#folderOf(first.name);
    const { settings } = await initializeMesh(runtime, state, {
      ...placesOf(first),
      trustDomain: "dev.mesh",
      controllerPort: ports.controller,
      registryPort: ports.registry,
    });
    this.#controllers = settings.controllers;
    this.#modes.push(await startRegistry(runtime, state, settings, { admin: false }));
    this.#modes.push(await startController(runtime, state, settings, { admin: false }));
    this.#operator = await openOperator(runtime, state);
    await this.#untilReady();
    await this.#start(first, state, settings);
    for (const machine of others) await this.#join(machine);
  }

  /** Machines come, change and go as their documents do. What cannot be done is told, and tried again with the next change. */
  async follow(planned: readonly PlannedMachine[]): Promise<void> {
    const wanted = new Set(planned.map(({ name }) => name));
    for (const name of [...this.#machines.keys()])
      if (!wanted.has(name)) await this.#told(`stop ${name}`, () => this.#remove(name));
    for (const machine of planned) {
      const before = this.#machines.get(machine.name);
      if (before?.text === machine.source.text) continue;
      await this.#told(`start ${machine.name}`, async () => {
        await this.#stop(machine.name);
        await this.#join(machine);
        this.said(`${before === undefined ? "started" : "restarted"} the machine ${machine.name}`);
      });
    }
  }

  async close(deadlineMs: number): Promise<void> {
    this.#operator?.close();
    for (const each of [...this.#modes, ...this.#proxies()].reverse()) await each.close(deadlineMs);
  }

  #proxies(): readonly RunningProxy[] {
    return [...this.#machines.values()].map(({ proxy }) => proxy);
  }

  async #told(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.said(`Cannot ${what}: ${(error as Error).message}`);
    }
  }

  async #remove(name: string): Promise<void> {
    await this.#stop(name);
    await this.operator.call("POST", `${controllerPaths.nodes}/${name}/remove`, { force: true });
    this.said(`stopped the machine ${name}`);
  }

  async #stop(name: string): Promise<void> {
    const machine = this.#machines.get(name);
    this.#machines.delete(name);
    await machine?.proxy.close(0);
  }

  async #join(machine: PlannedMachine): Promise<void> {
    const services = ownServices(machine.document);
    const body = { services: services.length === 0 ? null : services, ttlMs: limits.joinTokenMs };
    const { token } = (await this.operator.call("POST", controllerPaths.tokens, body)).body as {
      token: string;
    };
    const state = this.#folderOf(machine.name);
    const options = { ...placesOf(machine), controllers: this.#controllers, token };
    const { settings } = await joinMesh(this.runtime, state, options);
    await this.#start(machine, state, settings);
  }

  async #start({ name, source }: PlannedMachine, state: StateFolder, settings: Settings): Promise<void> {
    this.#machines.set(name, {
      text: source.text,
      proxy: await startProxy(this.runtime, state, settings, { shards: this.shards }),
    });
  }

  #folderOf(name: string): StateFolder {
    const folder = this.#folders.get(name) ?? stateFolder(`${this.root}/${this.#folders.size}`);
    this.#folders.set(name, folder);
    return folder;
  }

  async #untilReady(): Promise<void> {
    const { clock } = this.runtime;
    const deadline = clock.now() + limits.controlConnectMs;
    for (;;) {
      const { ok } = (await this.operator.call("GET", controllerPaths.health)).body as HealthAnswer;
      if (ok) return;
      if (clock.now() > deadline) throw new UserError("The controller did not reach the registry in time");
      await new Promise<void>((resolve) => clock.after(20, resolve));
    }
  }
}

function placesOf({ name, document, source }: PlannedMachine) {
  const address = document.address ?? "127.0.0.1";
  return {
    node: name,
    address,
    loopback: address,
    inboundPort: ports.inbound,
    outboundPort: ports.outboundFirst,
    dnsPort: ports.dns,
    adminPort: ports.admin,
    machine: source,
  };
}
