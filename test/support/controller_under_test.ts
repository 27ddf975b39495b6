/** A whole controller over a registry in memory, in this process: no sockets, real certificates only where asked for. */
import { createRuntime } from "../../runtime/bun/runtime.ts";
import type { SnapshotLine } from "../../src/api/snapshot_messages.ts";
import { controllerPaths, registryKeys } from "../../src/api/messages.ts";
import { RegistryClient } from "../../src/api/registry_client.ts";
import { Controller } from "../../src/controller/controller.ts";
import type { PushStage } from "../../src/controller/publisher.ts";
import type { PolicyBundler } from "../../src/controller/policy_uses.ts";
import { Authority, createAuthority } from "../../src/identity/authority.ts";
import type { Instance, Node, ServiceName } from "../../src/model/service.ts";
import type { Snapshot } from "../../src/model/snapshot.ts";
import { MemoryStore } from "../../src/registry/memory_store.ts";
import { createRegistry } from "../../src/registry/server.ts";
import { placeOf } from "./control_place.ts";
import type { ControlStream } from "../../src/api/control.ts";
import { DirectControl } from "./direct_control.ts";

export const trustDomain = "corp.example";

/** No policies at all. */
export const noPolicies: PolicyBundler = {
  shipped: [],
  bundle: async () => ({ policies: [], issues: [] }),
  check: async () => ({ issues: [], services: [] }),
};

export class ControllerUnderTest {
  readonly #runtime = createRuntime();
  readonly controller: Controller;
  /** Stages that revisions of documents reached. */
  readonly pushes: PushStage[] = [];
  readonly #clients: DirectControl[] = [];

  private constructor(
    readonly authority: Authority,
    bundler: PolicyBundler,
    readonly store: MemoryStore,
  ) {
    const { clock, random } = this.#runtime;
    const registry = createRegistry({ store: this.store, clock, random, trustDomain }).app;
    const control = new DirectControl(registry, `spiffe://${trustDomain}/heddle/controller/one`);
    this.#clients.push(control);
    this.controller = new Controller({
      rootsChanged: async () => {},
      admit: () => ({ host: "127.0.0.1", port: 1, code: "code" }),
      authority,
      clock,
      bundler,
      registryClient: new RegistryClient(control, clock, random),
      leafMs: 3_600_000,
      place: placeOf("127.0.0.1"),
      ownNode: "vm-own",
      registryStore: null,
      connectPeer: () => control,
      reach: async () => ({ ok: true, cause: null, detail: "" }),
      log: () => {},
      pushed: (stage) => void this.pushes.push(stage),
    });
  }

  static async start(bundler: PolicyBundler = noPolicies): Promise<ControllerUnderTest> {
    const { clock } = createRuntime();
    const nowMs = clock.wallMs();
    const state = await createAuthority(trustDomain, nowMs);
    const authority = new Authority(
      state,
      async () => {},
      () => clock.wallMs(),
    );
    return await ready(new ControllerUnderTest(authority, bundler, new MemoryStore(createRuntime().clock)));
  }

  /** Another one over the same registry. */
  async beside(bundler: PolicyBundler = noPolicies): Promise<ControllerUnderTest> {
    return await ready(new ControllerUnderTest(this.authority, bundler, this.store));
  }

  as(path: string | null): DirectControl {
    const client = new DirectControl(
      this.controller.app,
      path === null ? null : `spiffe://${trustDomain}${path}`,
    );
    this.#clients.push(client);
    return client;
  }

  operator(): DirectControl {
    return this.as("/operator/admin");
  }

  async addNode(name: string, services: readonly ServiceName[], removed = false): Promise<void> {
    const node: Node = { name, services, publicKey: "", joinedMs: 1, removed };
    await this.put(registryKeys.nodes + name, JSON.stringify(node));
  }

  async addInstance(node: string, name: string, ready = true): Promise<void> {
    const service = { name, namespace: "default" };
    const id = `${node}/${name}.default/8080`;
    const instance: Instance = { id, service, node, address: "10.0.0.1", port: 7445, labels: {}, ready };
    await this.put(registryKeys.instances + id, JSON.stringify(instance));
  }

  /** Writes to the registry, and waits until the controller has seen it. */
  async put(key: string, value: string): Promise<void> {
    await this.store.commit([], [{ do: "put", key, value }]);
    await this.controller.catalog.reached(this.store.revision());
  }

  follow(node: string, version = "", uses: readonly string[] = []): SnapshotReader {
    return new SnapshotReader(this, this.as(`/node/${node}`), { version, uses });
  }

  async until(condition: () => boolean): Promise<void> {
    const { clock } = this.#runtime;
    const deadline = clock.now() + 5_000;
    while (!condition()) {
      if (clock.now() > deadline) throw new Error(`Waited 5 s for: ${condition.toString()}`);
      await new Promise<void>((resolve) => clock.after(5, resolve));
    }
  }

  close(): void {
    for (const client of this.#clients) client.close();
    this.controller.close();
    this.store.close();
  }
}

async function ready(started: ControllerUnderTest): Promise<ControllerUnderTest> {
  await started.until(() => started.controller.ready);
  return started;
}

/** The stream of one machine. */
export class SnapshotReader {
  readonly lines: SnapshotLine[] = [];
  ended: Error | null | undefined = undefined;
  readonly #stream: ControlStream;

  constructor(
    readonly host: ControllerUnderTest,
    client: DirectControl,
    body: { readonly version: string; readonly uses: readonly string[] },
  ) {
    const handler = {
      line: (line: unknown) => void this.lines.push(line as SnapshotLine),
      ended: (error: Error | null) => {
        this.ended = error;
      },
    };
    this.#stream = client.stream(controllerPaths.snapshots, handler, body, { both: true });
  }

  /** Says something on its stream; throws what the controller has against it. */
  say(message: unknown): boolean {
    return this.#stream.send(message);
  }

  /** Lines that are no heartbeats, no questions, and not about the controller itself. */
  get news(): SnapshotLine[] {
    const others = ["heartbeat", "ask", "cancel", "control-plane"];
    return this.lines.filter(({ kind }) => !others.includes(kind));
  }

  /** The snapshot that is the `count`th news. */
  async snapshot(count: number): Promise<Snapshot> {
    await this.host.until(() => this.news.length >= count);
    const line = this.news[count - 1];
    if (line?.kind !== "snapshot") throw new Error(`Expected a snapshot, got ${JSON.stringify(line)}`);
    return line.snapshot;
  }

  close(): void {
    this.#stream.close();
  }
}
