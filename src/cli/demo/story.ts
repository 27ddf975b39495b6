/**
 * The demo: builds a real mesh of separate processes on this machine, and tells in plain words what happens in it. Every
 * number and identity it prints was reported by the proxies. Ends with a summary and exit code 0, or 1 when a promise
 * was not kept.
 */
import type { Runtime } from "../../../runtime/contract.ts";
import type { StatusAnswer } from "../../api/messages.ts";
import { humanDuration } from "../../base/duration.ts";
import { wrapped, type Terminal } from "../terminal.ts";
import { text } from "../text.ts";
import { edgesBetween, parseHop, parseSamples, type Edge, type Hop, type Samples } from "./evidence.ts";
import { startLoad, type Load } from "./load.ts";
import { Stage, type Actor } from "./stage.ts";
import { controlAddress, demoDocuments, demoMachines, machineDocument, outboundPort } from "./topology.ts";

const controlModes = ["registry", "controller"] as const;
const gatewayUrl = "http://127.77.0.1:8001/ask";

export interface StoryOptions {
  /** Leave everything running at the end, until interrupted. */
  readonly keep: boolean;
}

interface Cast {
  readonly stage: Stage;
  readonly folder: string;
  readonly hops: Hop[];
  readonly actors: Map<string, Actor>;
}

/** Plays the demo; returns the exit code. */
export async function playDemo(runtime: Runtime, terminal: Terminal, options: StoryOptions): Promise<number> {
  const folder = `/tmp/heddle-demo-${runtime.process.pid}`;
  const hops: Hop[] = [];
  const stage = new Stage(runtime.process, runtime.clock, (_actor, line) => {
    const hop = parseHop(line);
    if (hop !== null && hops.length < 200_000) hops.push(hop);
  });
  const cast: Cast = { stage, folder, hops, actors: new Map() };
  const startedMs = runtime.clock.now();
  let interrupted = (): void => {};
  const interruption = new Promise<"interrupted">((resolve) => {
    interrupted = () => resolve("interrupted");
  });
  runtime.process.onSignal("SIGINT", interrupted);
  runtime.process.onSignal("SIGTERM", interrupted);
  try {
    const story = new Story(runtime, terminal, cast);
    const ending = await Promise.race([story.play(), interruption]);
    if (ending === "interrupted") return 130;
    terminal.line();
    terminal.line(terminal.paint.dim(`took ${humanDuration(runtime.clock.now() - startedMs)}`));
    if (options.keep) {
      await story.bringBackControlPlane();
      await keepRunning(runtime, terminal, folder, interruption);
    }
    return ending;
  } finally {
    await stage.close();
    await runtime.files.remove(folder);
  }
}

async function keepRunning(
  runtime: Runtime,
  terminal: Terminal,
  folder: string,
  interruption: Promise<unknown>,
): Promise<void> {
  terminal.line();
  terminal.line("Everything keeps running until Ctrl-C. Try, in another terminal:");
  terminal.line(`  curl ${gatewayUrl}?q=why`);
  terminal.line(`  curl -H 'x-user-group: beta' ${gatewayUrl}?q=why`);
  for (const command of ["status", "dashboard"])
    terminal.line(`  ${runtime.process.called} --state ${folder}/vm-1 ${command}`);
  await interruption;
}

class Story {
  readonly #broken: string[] = [];

  constructor(
    readonly runtime: Runtime,
    readonly terminal: Terminal,
    readonly cast: Cast,
  ) {}

  async play(): Promise<number> {
    await this.#assemble();
    await this.#showCertificates();
    await this.#showOneRequest();
    const load = startLoad(this.runtime.clock, gatewayUrl, 4);
    try {
      await this.#showEdges();
      await this.#showDenial();
      await this.#showPolicy();
      await this.#killSearch(load);
      await this.#loseControlPlane(load);
    } finally {
      await load.stop();
    }
    return this.#summary(load);
  }

  #chapter(title: string): void {
    const { bold, cyan } = this.terminal.paint;
    this.terminal.line();
    this.terminal.line(bold(cyan(`── ${title} `.padEnd(Math.min(this.terminal.columns, 96), "─"))));
  }

  /** A promise of the mesh: said with a mark, and remembered when it was not kept. */
  #promise(kept: boolean, said: string): void {
    const { green, red } = this.terminal.paint;
    this.terminal.line(text`  ${kept ? green("✓") : red("✗")} ${said}`);
    if (!kept) this.#broken.push(said);
  }

  #state(machine: string): string {
    return `${this.cast.folder}/${machine}`;
  }

  #heddle(machine: string, ...args: string[]): Promise<string> {
    return this.cast.stage.run(["--state", this.#state(machine), ...args]);
  }

  #start(name: string, args: readonly string[], env: Record<string, string> = {}): Actor {
    const actor = this.cast.stage.start(name, args, env);
    this.cast.actors.set(name, actor);
    return actor;
  }

  async #assemble(): Promise<void> {
    const { terminal, cast, runtime } = this;
    this.#chapter("A mesh of three machines, on this one");
    await runtime.files.makeFolder(cast.folder, 0o700);
    for (const machine of demoMachines) {
      await runtime.files.writeAtomic(`${cast.folder}/${machine.name}.yaml`, machineDocument(machine));
    }
    await runtime.files.writeAtomic(`${cast.folder}/mesh.yaml`, demoDocuments);
    const [first, ...others] = demoMachines;
    if (first === undefined) return;
    const common = (name: string, address: string): string[] => [
      "--node",
      name,
      "--address",
      address,
      "--loopback",
      address,
    ];
    await this.#heddle(
      first.name,
      ...[
        "init",
        "--no-start",
        "--trust-domain",
        "demo.example",
        "--machine",
        `${cast.folder}/${first.name}.yaml`,
      ],
      ...common(first.name, first.address),
    );
    terminal.line(
      `  ${first.name}  ${first.address}  heddle init: a new authority for the trust domain demo.example`,
    );
    for (const mode of controlModes) {
      const actor = this.#start(mode, ["--state", this.#state(first.name), mode]);
      terminal.line(`  ${first.name}  ${first.address}  heddle ${mode.padEnd(10)} pid ${actor.pid}`);
    }
    await this.#untilControllerAnswers(first.name);
    await this.#heddle(first.name, "apply", "-f", `${cast.folder}/mesh.yaml`);
    this.#startProxy(first.name, first.address);
    for (const machine of others) {
      const services = [...new Set(machine.services.map((each) => each.role))].flatMap((role) => [
        "--service",
        role,
      ]);
      const created = JSON.parse(
        await this.#heddle(first.name, "--output", "json", "token", "create", ...services),
      ) as { token: string };
      await this.#heddle(
        machine.name,
        ...[
          "join",
          "--no-start",
          `${controlAddress}:7443`,
          created.token,
          "--machine",
          `${cast.folder}/${machine.name}.yaml`,
        ],
        ...common(machine.name, machine.address),
      );
      this.#startProxy(machine.name, machine.address);
    }
    this.#startServices();
    await this.#untilServing();
  }

  #untilControllerAnswers(machine: string): Promise<void> {
    return this.cast.stage.until("the controller to answer", 10_000, () =>
      this.#heddle(machine, "status").then(
        () => true,
        () => false,
      ),
    );
  }

  /** For whoever goes on playing with the mesh. */
  async bringBackControlPlane(): Promise<void> {
    const machine = "vm-1";
    for (const mode of controlModes) this.#start(mode, ["--state", this.#state(machine), mode]);
    await this.#untilControllerAnswers(machine);
    this.terminal.line("Registry and controller are back.");
  }

  #startProxy(machine: string, address: string): void {
    const actor = this.#start(`proxy ${machine}`, [
      "--state",
      this.#state(machine),
      "proxy",
      "--log-sample",
      "1",
    ]);
    const how = machine === demoMachines[0]?.name ? "" : " (joined with a token of one use)";
    this.terminal.line(`  ${machine}  ${address}  heddle proxy      pid ${actor.pid}${how}`);
  }

  #startServices(): void {
    for (const machine of demoMachines) {
      for (const each of machine.services) {
        const proxy = `http://${machine.address}:${outboundPort(machine, each.role)}`;
        const actor = this.#start(
          `${each.role} ${machine.name}`,
          [
            "demo-service",
            each.role,
            "--host",
            machine.address,
            "--port",
            String(each.port),
            "--label",
            each.version,
          ],
          { http_proxy: proxy, HTTP_PROXY: proxy },
        );
        const name = `${each.role}${each.role === "inference" ? ` ${each.version}` : ""}`;
        this.terminal.line(
          `  ${machine.name}  ${machine.address}  ${name.padEnd(17)} pid ${actor.pid}, port ${each.port}`,
        );
      }
    }
  }

  async #status(): Promise<StatusAnswer> {
    return JSON.parse(await this.#heddle("vm-1", "--output", "json", "status")) as StatusAnswer;
  }

  async #untilServing(): Promise<void> {
    const wanted = demoMachines.reduce((sum, machine) => sum + machine.services.length, 0);
    await this.cast.stage.until(`all ${wanted} instances to be ready`, 15_000, async () => {
      const status = await this.#status();
      return status.instances.filter((instance) => instance.ready).length === wanted;
    });
    await this.cast.stage.until("the first answer", 10_000, () =>
      fetch(`${gatewayUrl}?q=first`).then(
        (answer) => answer.ok,
        () => false,
      ),
    );
  }

  async #showCertificates(): Promise<void> {
    this.#chapter("The certificate each service holds");
    const status = await this.#status();
    const rows = status.nodes.flatMap((node) =>
      node.certificates
        .filter((certificate) => certificate.id.includes("/sa/"))
        .map((certificate) => [
          `  ${node.name}`,
          certificate.id,
          `valid for ${humanDuration(certificate.notAfterMs - status.controllerMs)}`,
        ]),
    );
    this.terminal.table(
      ["  machine", "identity (the one URI name in it)", "renewed at half of its life"],
      rows,
    );
  }

  async #showOneRequest(): Promise<void> {
    this.#chapter("One request, hop by hop");
    const answer = await fetch(`${gatewayUrl}?q=what+is+a+heddle`, {
      headers: { "x-request-id": "demo-path-1" },
    });
    const told = (await answer.json()) as { answer?: string; model?: string };
    this.terminal.line(`  curl ${gatewayUrl}?q=what+is+a+heddle`);
    this.terminal.line(`  → ${answer.status} "${told.answer}"`);
    const mine = (): Hop[] =>
      this.cast.hops.filter((hop) => hop.request_id === "demo-path-1" && hop.direction === "outbound");
    await this.cast.stage.until("the access log of that request", 5_000, () => mine().length === 5);
    const { dim, green } = this.terminal.paint;
    for (const hop of mine()) {
      const way = hop.tls ? green("mTLS") : "same machine, in process";
      this.terminal.line(
        text`  ${short(hop.src)} → ${short(hop.dst)}  ${hop.method ?? ""} ${hop.path ?? ""}  ${hop.status ?? 0}, ${hop.dur_ms.toFixed(1)} ms, ${way}`,
      );
      this.terminal.line(dim(`      from ${hop.src_id}`));
      this.terminal.line(dim(`      to   ${hop.dst_id}`));
    }
  }

  async #scrape(): Promise<Samples[]> {
    return Promise.all(
      demoMachines.map(async (machine) =>
        parseSamples(await (await fetch(`http://${machine.address}:9464/metrics`)).text()),
      ),
    );
  }

  async #showEdges(): Promise<void> {
    this.#chapter("Traffic, from the proxies' own metrics (4 clients, 4 seconds)");
    const before = await this.#scrape();
    const seconds = 4;
    await this.cast.stage.pause(seconds * 1000);
    const edges = edgesBetween(before, await this.#scrape());
    this.#edgeTable(edges, seconds);
  }

  #edgeTable(edges: readonly Edge[], seconds: number): void {
    const rows = edges.map((edge) => [
      `  ${short(edge.source)} → ${short(edge.destination)}`,
      (edge.requests / seconds).toFixed(0),
      String(edge.failed),
      edge.p50Ms.toFixed(1),
      edge.p99Ms.toFixed(1),
    ]);
    this.terminal.table(["  edge", "requests/s", "failed", "p50 ms", "p99 ms"], rows);
  }

  async #showDenial(): Promise<void> {
    this.#chapter("A call that nobody allowed");
    this.terminal.line(
      "  The document `Access storage` lets orchestrator read the storage, and nobody else.",
    );
    this.terminal.line("  embedding tries:");
    const answer = await fetch("http://127.77.0.2:8001/steal", {
      headers: { "x-request-id": "demo-steal-1" },
    });
    const told = (await answer.text()).trim();
    const lead = `  → ${answer.status} `;
    const width = Math.min(this.terminal.columns, 100) - lead.length;
    const lines = told.split("\n").flatMap((each) => wrapped(each, width));
    lines.forEach((line, at) => this.terminal.line(`${at === 0 ? lead : " ".repeat(lead.length)}${line}`));
    this.#promise(
      answer.status === 403,
      "denied by the storage's own proxy, from the identity in embedding's certificate",
    );
  }

  async #showPolicy(): Promise<void> {
    this.#chapter("A routing policy in TypeScript, in a sealed worker");
    this.terminal.line("  policies/header_route.ts sends users with `x-user-group: beta` to inference v2:");
    const ask = async (headers: Record<string, string>): Promise<string> => {
      const answer = await fetch(`${gatewayUrl}?q=who`, { headers });
      return ((await answer.json()) as { model?: string }).model ?? "none";
    };
    const everyone = await Promise.all(Array.from({ length: 10 }, () => ask({})));
    const beta = await Promise.all(Array.from({ length: 10 }, () => ask({ "x-user-group": "beta" })));
    this.#promise(
      everyone.every((model) => model === "v1"),
      `10 requests of everybody: answered by ${[...new Set(everyone)].join(", ")}`,
    );
    this.#promise(
      beta.every((model) => model === "v2"),
      `10 requests of beta users: answered by ${[...new Set(beta)].join(", ")}`,
    );
  }

  async #killSearch(load: Load): Promise<void> {
    this.#chapter("kill -9 of one of the two search instances");
    const victim = this.cast.actors.get("search vm-3");
    if (victim === undefined) return;
    const before = { ...load.tally };
    await this.cast.stage.end(victim, "SIGKILL");
    this.terminal.line(`  search on vm-3 (pid ${victim.pid}) is gone; traffic goes on for 3 seconds`);
    await this.cast.stage.pause(3_000);
    const answered = load.tally.answered - before.answered;
    const failed = load.tally.failed - before.failed;
    this.#promise(failed === 0 && answered > 0, `${answered} requests answered, ${failed} failed`);
    for (const complaint of load.tally.complaints) this.terminal.line(`    ${complaint}`);
  }

  async #loseControlPlane(load: Load): Promise<void> {
    this.#chapter("Controller and registry stop");
    const before = { ...load.tally };
    for (const mode of controlModes) {
      const actor = this.cast.actors.get(mode);
      if (actor !== undefined) await this.cast.stage.end(actor, "SIGTERM");
    }
    this.terminal.line("  both are gone; the proxies keep what they know, and traffic goes on for 4 seconds");
    await this.cast.stage.pause(4_000);
    const answered = load.tally.answered - before.answered;
    const failed = load.tally.failed - before.failed;
    this.#promise(failed === 0 && answered > 0, `${answered} requests answered, ${failed} failed`);
  }

  #summary(load: Load): number {
    const { bold, green, red } = this.terminal.paint;
    this.#chapter("Summary");
    const { answered, failed } = load.tally;
    this.terminal.line(
      `  ${answered} requests through the front door, ${failed} failed; each crossed the mesh 5 times`,
    );
    if (this.#broken.length === 0 && failed === 0) {
      this.terminal.line(text`  ${bold(green("Every promise was kept."))}`);
      return 0;
    }
    for (const said of this.#broken) this.terminal.line(text`  ${red("not kept:")} ${said}`);
    return 1;
  }
}

/** `orders.default` is shown as `orders`. */
function short(serviceKey: string): string {
  return serviceKey.endsWith(".default") ? serviceKey.slice(0, -".default".length) : serviceKey;
}
