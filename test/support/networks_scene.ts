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

export const gates = ["gate-1", "gate-2"];
export const webs = ["web-1", "web-2"];
export const meshPort = 15_443;

const documents = (addresses: readonly string[], outside: string): string => `
{kind: Service, name: web, port: 80, protocol: http}
---
{kind: Service, name: shop, port: 80, protocol: http}
---
{kind: Service, name: guest, port: 80, protocol: http}
---
{kind: Gateway, name: out}
---
{kind: External, name: pay, port: 80, protocol: http, endpoints: ["${outside}:8080"], host: pay.example, via: out}
---
{kind: Access, name: pay, service: pay, allow: [{from: shop}]}
---
{kind: Mesh, name: mesh, egress: declared}
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
      { name: "outside", number: 20, networks: ["east"] },
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
    writeFileSync(
      `${this.#folder}/mesh.yaml`,
      documents(addresses, this.networks.addressOf("outside", "east")),
    );
    this.#control("apply", "-f", `${this.#folder}/mesh.yaml`);
  }

  #joinAll(): void {
    const east = (name: string): object => ({
      address: this.networks.addressOf(name, "east"),
      network: "east",
    });
    const both = ["--gateway", "edge", "--gateway", "out"];
    for (const name of gates) this.#join(name, { ...east(name), gateways: ["edge", "out"] }, ...both);
    const pay = [
      bun,
      `${root}/test/support/apps.ts`,
      "http",
      this.networks.addressOf("outside", "east"),
      "8080",
    ];
    this.#start("outside", "pay", [...pay, "pay", "v1"]);
    for (const name of webs) {
      const app = [bun, `${root}/test/support/apps.ts`, "http", "127.0.0.1", "8080", "web", name];
      this.#start(name, `app of ${name}`, app);
      const services = [{ service: "web", port: 8080, health: { every: "500ms" } }];
      this.#join(name, { ...east(name), services }, "--service", "web");
    }
    const upstreams = ["web", "pay"].map((service) => ({ service }));
    const services = ["shop", "guest"].map((service, at) => ({
      ...{ service, port: 9, upstreams, httpPort: ports.outboundFirst + at },
    }));
    this.#join("shop", { network: "west", services }, "--service", "shop", "--service", "guest");
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
    const pay = this.#snapshotOf("shop")?.destinations.find(({ service }) => service.name === "pay");
    if (pay?.endpoints.filter((each) => each.ready).length !== gates.length) return false;
    return (
      ready &&
      gates.every((name) => this.#snapshotOf(name)?.relays?.length === webs.length + 3 * gates.length)
    );
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

  /** The shop calls it. */
  call(service: string): Seen {
    const to = `http://127.0.0.1:${ports.outboundFirst}/x`;
    return JSON.parse(this.curl("shop", "--header", `host: ${service}.mesh`, to)) as Seen;
  }

  /** Status that the guest, on the machine of the shop, gets from it. */
  statusForGuest(service: string): string {
    const to = ["--header", `host: ${service}.mesh`, `http://127.0.0.1:${ports.outboundFirst + 1}/x`];
    return this.curl("shop", "--output", "/dev/null", "--write-out", "%{http_code}", ...to);
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
