/**
 * The controller: follows the registry, publishes snapshots, issues identities, takes documents. Serves what it knows
 * while the registry is away.
 */
import { Hono } from "hono";
import * as v from "valibot";
import type { Clock } from "../../runtime/contract.ts";
import { readBody } from "../api/body.ts";
import { requireCaller, type ControlEnv } from "../api/caller.ts";
import { controllerPaths, type ApplyRequest, type StatusAnswer } from "../api/messages.ts";
import { problemResponse, Refusal } from "../api/problem.ts";
import type { RegistryClient } from "../api/registry_client.ts";
import { nodeId, serviceId } from "../model/identity.ts";
import { limits } from "../model/limits.ts";
import type { Document } from "../model/document.ts";
import type { Snapshot } from "../model/snapshot.ts";
import { Catalog, type StoredPolicy } from "./catalog.ts";
import { SnapshotCompiler, type CompileInput, type KnownPolicy } from "./compile/snapshot_compiler.ts";
import { DocumentService, type PolicyBundler } from "./documents.ts";
import { Issuing, type IssuingOptions } from "./issue/issuing.ts";
import { mountIssueRoutes } from "./issue/routes.ts";
import { Publisher } from "./publisher.ts";

export interface ControllerOptions extends Omit<IssuingOptions, "store"> {
  readonly clock: Clock;
  readonly registryClient: RegistryClient;
  readonly bundler: PolicyBundler;
  /** host:port of this controller, for join lines. */
  readonly address: string;
}

export class Controller {
  readonly app = new Hono<ControlEnv>();
  readonly catalog = new Catalog();
  readonly publisher: Publisher;
  readonly issuing: Issuing;
  readonly #documents: DocumentService;
  readonly #following: { close(): void };
  #compiler: SnapshotCompiler | null = null;
  #registryProblem: string | null = "not connected yet";

  constructor(readonly options: ControllerOptions) {
    const { clock, registryClient } = options;
    this.publisher = new Publisher({ clock, compile: (node, uses) => this.#compile(node, uses) });
    this.issuing = new Issuing({ ...options, store: registryClient });
    this.#documents = new DocumentService({
      catalog: this.catalog,
      store: registryClient,
      bundler: options.bundler,
      affected: (documents, policies) => this.#affected(documents, policies),
    });
    this.#mount();
    this.#following = registryClient.follow("", {
      state: (entries, revision) => {
        this.catalog.update(entries, revision);
        this.#compiler = null;
        this.#registryProblem = null;
        this.publisher.changed();
      },
      connection: (problem) => {
        this.#registryProblem = problem;
      },
    });
  }

  /** Whether it has seen the registry's state at least once. */
  get ready(): boolean {
    return this.catalog.revision > 0;
  }

  close(): void {
    this.#following.close();
    this.publisher.close();
  }

  #mount(): void {
    const { app } = this;
    const { trustDomain } = this.options.authority;
    app.onError((error) => problemResponse(error));
    app.notFound(() => problemResponse(new Refusal(404, "The controller has no such path")));
    app.get(controllerPaths.health, (context) => context.json({ ok: this.ready }));
    mountIssueRoutes(app, { issuing: this.issuing, trustDomain, address: this.options.address });
    this.#mountNodePaths(trustDomain);
    app.get(controllerPaths.documents, (context) => {
      requireCaller(context, trustDomain, "operator");
      return context.json(this.#documents.list());
    });
    app.post(controllerPaths.documents, async (context) => {
      requireCaller(context, trustDomain, "operator");
      this.#requireReady();
      return context.json(await this.#documents.apply(await readBody(context.req.raw, applySchema)));
    });
    app.get(controllerPaths.status, (context) => {
      requireCaller(context, trustDomain, "operator");
      this.#requireReady();
      return context.json(this.#status());
    });
  }

  #mountNodePaths(trustDomain: string): void {
    const { app } = this;
    app.post(controllerPaths.snapshots, async (context) => {
      const caller = requireCaller(context, trustDomain, "node");
      this.#requireReady();
      const { version, uses } = await readBody(context.req.raw, subscribeSchema);
      return this.publisher.subscribe(caller.name, version, uses);
    });
    app.post(controllerPaths.reply, async (context) => {
      const caller = requireCaller(context, trustDomain, "node");
      this.publisher.replied(caller.name, await readBody(context.req.raw, replySchema));
      return context.json({});
    });
    app.put(controllerPaths.uses, async (context) => {
      const caller = requireCaller(context, trustDomain, "node");
      this.publisher.setUses(caller.name, await readBody(context.req.raw, usesSchema));
      return context.json({});
    });
    app.get(controllerPaths.policy, (context) => {
      requireCaller(context, trustDomain, "node");
      const hash = context.req.param("hash");
      const policy = [...this.catalog.policies.values()].find((each) => each.hash === hash);
      if (policy === undefined) throw new Refusal(404, `There is no policy bundle ${hash}`);
      return context.text(policy.text);
    });
  }

  #requireReady(): void {
    if (!this.ready)
      throw new Refusal(
        503,
        `The controller has not reached the registry yet: ${this.#registryProblem}`,
        "Is `heddle registry` running?",
      );
  }

  #input(documents: readonly Document[], policies: ReadonlyMap<string, StoredPolicy>): CompileInput {
    const { authority } = this.options;
    const { trustDomain } = authority;
    const removed = [...this.catalog.nodes.values()].filter((node) => node.removed);
    const alive = [...this.catalog.nodes.values()].filter((node) => !node.removed);
    const stillServed = new Set(
      alive.flatMap((node) => node.services.map((service) => serviceId(trustDomain, service))),
    );
    const deniedIds = removed.flatMap((node) => [
      nodeId(trustDomain, node.name),
      ...node.services.map((service) => serviceId(trustDomain, service)).filter((id) => !stillServed.has(id)),
    ]);
    const known = new Map<string, KnownPolicy>();
    for (const policy of policies.values()) known.set(policy.name, { ...policy, routesTo: servicesIn });
    const instances = this.catalog.instances.filter(
      (instance) => this.catalog.nodes.get(instance.node)?.removed !== true,
    );
    return { trustDomain, bundle: authority.bundle, deniedIds, documents, instances, policies: known };
  }

  #compile(name: string, uses: readonly string[]): Snapshot | null {
    const node = this.catalog.nodes.get(name);
    if (node === undefined || node.removed) return null;
    return this.#compilerNow().compile({ node: name, services: node.services, uses });
  }

  /** One for all machines until the catalog or the trusted roots change. */
  #compilerNow(): SnapshotCompiler {
    const known = this.#compiler;
    if (known !== null && known.input.bundle.sequence === this.options.authority.bundle.sequence)
      return known;
    this.#compiler = new SnapshotCompiler(this.#input(this.catalog.documents, this.catalog.policies));
    return this.#compiler;
  }

  #affected(documents: readonly Document[], policies: ReadonlyMap<string, StoredPolicy>): string[] {
    const now = this.#compilerNow();
    const then = new SnapshotCompiler(this.#input(documents, policies));
    return [...this.catalog.nodes.values()]
      .filter((node) => !node.removed)
      .filter((node) => {
        const machine = {
          node: node.name,
          services: node.services,
          uses: this.publisher.state(node.name).uses,
        };
        return now.compile(machine).version !== then.compile(machine).version;
      })
      .map((node) => node.name)
      .sort();
  }

  #status(): StatusAnswer {
    const { catalog } = this;
    const nodes = [...catalog.nodes.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    return {
      trustDomain: this.options.authority.trustDomain,
      controllerMs: this.options.clock.wallMs(),
      revision: catalog.revision,
      nodes: nodes.map(({ name, services, joinedMs, removed }) => {
        const { connected, lastSeenMs, wanted, acknowledged, error, certificates } =
          this.publisher.state(name);
        return {
          name,
          services,
          joinedMs,
          removed,
          connected,
          lastSeenMs,
          wanted,
          acknowledged,
          error,
          certificates,
        };
      }),
      instances: [...catalog.instances].sort((a, b) => (a.id < b.id ? -1 : 1)),
      services: catalog.documents
        .filter((each) => each.kind === "Service")
        .map(({ name, namespace }) => ({ name, namespace })),
      registry: { ok: this.#registryProblem === null, detail: this.#registryProblem ?? "connected" },
    };
  }
}

const text = v.string();
const files = v.pipe(v.array(v.strictObject({ file: text, text })), v.maxLength(limits.documentsMax));
const applySchema = v.strictObject({
  files,
  policies: files,
  prune: v.boolean(),
  dryRun: v.boolean(),
}) satisfies v.GenericSchema<ApplyRequest>;
const usesSchema = v.pipe(v.array(v.pipe(text, v.maxLength(128))), v.maxLength(limits.usesMax));
const subscribeSchema = v.strictObject({ version: text, uses: usesSchema });
const replySchema = v.strictObject({
  version: text,
  error: v.nullable(v.pipe(text, v.maxLength(2_000))),
  certificates: v.pipe(
    v.array(v.strictObject({ id: text, notAfterMs: v.number(), issuedMs: v.number() })),
    v.maxLength(limits.servicesPerNodeMax + 1),
  ),
});

/** Every `service` that stands anywhere in a policy's options: what it may route to. */
function servicesIn(options: unknown): { name: string; namespace: string }[] {
  if (typeof options !== "object" || options === null) return [];
  return Object.entries(options).flatMap(([key, value]) => {
    if (key === "service" && typeof value === "string") {
      const [name = "", namespace = "default"] = value.split(".");
      return [{ name, namespace }];
    }
    return servicesIn(value);
  });
}
