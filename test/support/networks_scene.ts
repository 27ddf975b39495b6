/**
 * A mesh over two networks without a route between them (`separate_networks.ts`), by the compiled binary: its control plane and two gateways
 * stand in both, a shop in the west, and two instances of web in the east.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { binaryPath, bun, root } from "../../compile/repository.ts";
import type { TokenAnswer } from "../../src/api/messages.ts";
import { ports } from "../../src/model/ports.ts";
import type { Snapshot } from "../../src/model/snapshot.ts";
import type { Seen } from "./apps.ts";
import { plainEnvironment, startProgram, waitFor, type Program } from "./processes.ts";
import { SeparateNetworks } from "./separate_networks.ts";

const gates = ["gate-1", "gate-2"];
export const webs = ["web-1", "web-2"];
export const meshPort = 15_443;

const documents = (addresses: readonly string[]): string => `
{kind: Service, name: web, port: 80, protocol: http}
---
{kind: Service, name: shop, port: 80, protocol: http}
---
{kind: Access, name: web, service: web, allow: [{from: shop}]}
---
kind: Gateway
name: edge
listeners:
  - {name: mesh, port: ${meshPort}, protocol: tls, passthrough: mesh, network: east, addresses: ${JSON.stringify(addresses)}}
`;

export class NetworksScene {
  readonly networks = new SeparateNetworks(
    [
      { name: "control", number: 1, networks: ["west", "east"] },
      ...gates.map((name, at) => ({ name, number: 2 + at, networks: ["west", "east"] as const })),
      { name: "shop", number: 10, networks: ["west"] },
      ...webs.map((name, at) => ({ name, number: 11 + at, networks: ["east"] as const })),
    ],
    "control",
  );
  readonly #folder = mkdtempSync(`${tmpdir()}/heddle-networks-test-`);
  readonly #running: Program[] = [];
  readonly #proxies = new Map<string, Program>();

  static async start(): Promise<NetworksScene> {
    const scene = new NetworksScene();
    await scene.#startControl();
    scene.#joinAll();
    await waitFor("everybody knows both instances", () => (scene.#isKnown() ? true : null), { everyMs: 50 });
    return scene;
  }

  async #startControl(): Promise<void> {
    const at = ["--address", this.networks.between];
    this.#control("init", "--no-start", "--node", "control", "--trust-domain", "mesh.test", ...at);
    for (const mode of ["registry", "controller"]) this.#start("control", mode, [binaryPath, mode]);
    const answers = orNull(() => this.#control("status"));
    await waitFor("the controller answers", answers, { everyMs: 50 });
    const addresses = gates.map((name) => `${this.networks.addressOf(name, "west")}:${meshPort}`);
    writeFileSync(`${this.#folder}/mesh.yaml`, documents(addresses));
    this.#control("apply", "-f", `${this.#folder}/mesh.yaml`);
  }

  #joinAll(): void {
    const east = (name: string): object => ({
      address: this.networks.addressOf(name, "east"),
      network: "east",
    });
    for (const name of gates) this.#join(name, { ...east(name), gateways: ["edge"] }, "--gateway", "edge");
    for (const name of webs) {
      const app = [bun, `${root}/test/support/apps.ts`, "http", "127.0.0.1", "8080", "web", name];
      this.#start(name, `app of ${name}`, app);
      const services = [{ service: "web", port: 8080, health: { every: "500ms" } }];
      this.#join(name, { ...east(name), services }, "--service", "web");
    }
    const services = [{ service: "shop", port: 9, upstreams: [{ service: "web" }] }];
    this.#join("shop", { network: "west", services }, "--service", "shop");
  }

  #join(host: string, about: object, ...as: string[]): void {
    const { token } = JSON.parse(this.#control("token", "create", ...as, "--output", "json")) as TokenAnswer;
    const file = `${this.#folder}/${host}.yaml`;
    writeFileSync(file, JSON.stringify({ kind: "Machine", name: host, ...about }));
    const at = `${this.networks.between}:${ports.controller}`;
    this.#heddle(host, "join", at, token, "--no-start", "--node", host, "--machine", file);
    this.#proxies.set(host, this.#start(host, host, [binaryPath, "proxy"]));
  }

  #isKnown(): boolean {
    const found = this.#snapshotOf("shop")?.destinations.find(({ service }) => service.name === "web");
    const ready = found?.endpoints.filter((each) => each.ready).length === webs.length;
    return ready && gates.every((name) => this.#snapshotOf(name)?.relays?.length === webs.length);
  }

  #snapshotOf(host: string): Snapshot | null {
    const page = orNull(() => this.curl(host, `http://127.0.0.1:${ports.admin}/config`))();
    return page === null ? null : (JSON.parse(page) as { readonly snapshot: Snapshot | null }).snapshot;
  }

  #environment(host: string): Record<string, string> {
    return plainEnvironment({ HEDDLE_STATE: `${this.#folder}/${host}`, NO_COLOR: "1", HEDDLE_SHARDS: "1" });
  }

  #control(...args: string[]): string {
    return this.#heddle("control", ...args);
  }

  #heddle(host: string, ...args: string[]): string {
    return this.networks.run(host, [binaryPath, ...args], this.#environment(host));
  }

  #start(host: string, name: string, command: readonly string[]): Program {
    const log = `${this.#folder}/${name}.log`;
    const env = this.#environment(host);
    const program = startProgram({ name, log, command: this.networks.on(host, command), env });
    this.#running.push(program);
    return program;
  }

  /** As an app of that host. */
  curl(host: string, ...args: string[]): string {
    return this.networks.run(host, ["curl", "--silent", "--max-time", "20", ...args]);
  }

  /** The shop calls web. */
  call(): Seen {
    const to = `http://127.0.0.1:${ports.outboundFirst}/x`;
    return JSON.parse(this.curl("shop", "--header", "host: web.mesh", to)) as Seen;
  }

  /** Its proxy is killed. */
  async kill(host: string): Promise<void> {
    const program = this.#proxies.get(host) as Program;
    program.kill("SIGKILL");
    await program.exited;
  }

  async close(): Promise<void> {
    await Promise.all(this.#running.map((program) => program.stop(5_000)));
    this.networks.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function orNull(call: () => string): () => string | null {
  return () => {
    try {
      return call();
    } catch {
      return null;
    }
  };
}
