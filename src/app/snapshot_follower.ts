/**
 * Keeps the proxy's snapshot current: the last good one from disk at start, then the controller's stream, resumed whenever
 * it breaks. A snapshot that cannot be applied is refused with the reason, and the one before stays.
 */
import { problemOf } from "../base/result.ts";
import type { Runtime } from "../../runtime/contract.ts";
import { controllerPaths } from "../api/messages.ts";
import type {
  ControlPlace,
  ProxyAbout,
  SnapshotLine,
  SnapshotReply,
  SubscribeRequest,
  UpLine,
} from "../api/snapshot_messages.ts";
import { version } from "../base/build.ts";
import type { Address } from "../base/socket_address.ts";
import { Backoff } from "../base/backoff.ts";
import { ControlRefusal, type ControlClient, type ControlStream } from "../api/control.ts";
import { readJson, type CredentialStore } from "../identity/credential_store.ts";
import type { MachineDocument } from "../model/document.ts";
import type { AskLine } from "../api/questions.ts";
import { limits } from "../model/limits.ts";
import { serviceKey } from "../model/service.ts";
import type { Snapshot } from "../model/snapshot.ts";
import { patched, type SnapshotPatch } from "../model/snapshot_patch.ts";
import { isWhole, SnapshotHasher } from "../model/snapshot_version.ts";
import { ownSupport } from "../policy/support.ts";
import { budgetLink, type AskBudgets } from "./budget_link.ts";
import type { ControlPlaces } from "./control_places.ts";
import { LatestReport } from "./latest_report.ts";
import type { Policies } from "./policies.ts";
import { RateLeases, type RateLeasesOptions } from "./rate_leases.ts";
import type { StateFolder } from "./state_folder.ts";
import { WantedServices } from "./wanted_services.ts";

export interface SnapshotFollowerOptions {
  readonly runtime: Runtime;
  readonly folder: StateFolder;
  /** Of this follower alone: closed with it. */
  readonly control: ControlClient;
  readonly places: ControlPlaces;
  readonly store: CredentialStore;
  /** What runs here now. */
  readonly machine: () => MachineDocument;
  readonly policies: Policies;
  /** What operators should mend here, in words. */
  readonly problems?: () => readonly string[];
  /** Makes a snapshot current; throws what is wrong with it. */
  readonly apply: (snapshot: Snapshot) => Promise<void>;
  /** Parts of shared rates that are wanted, and those that are given. */
  readonly rates: RateLeasesOptions["rates"];
  /** Names that apps call and no snapshot has. */
  readonly unconfirmed: () => readonly string[];
  /** The controller knows no services by these names. */
  readonly missing: (keys: readonly string[]) => void;
  /** A question of an operator, or that nobody waits for an answer any more. */
  readonly asked: (line: AskLine) => void;
  /** Traces that another proxy keeps. */
  readonly keep: (traceIds: readonly string[]) => void;
  /** The stream to the controller ended. */
  readonly disconnected: () => void;
  /** The controller refuses this machine: what lies on disk may have been replaced by a new join. */
  readonly refused: () => Promise<void>;
  readonly log: (text: string) => void;
}

export class SnapshotFollower {
  readonly #control: ControlClient;
  readonly #backoff: Backoff;
  readonly #report = new LatestReport(() => this.#tell());
  readonly wanted: WantedServices;
  readonly rates: RateLeases;
  readonly askBudgets: AskBudgets;
  /** Wall clock of the last word of the controller, of the file while there was none; 0: there is no snapshot. */
  confirmedMs = 0;
  #version = "";
  /** What came last and was whole, whether it could be applied or not: what patches are of. */
  #received: Snapshot | null = null;
  /** A patch could not be taken: what comes until it comes whole is passed over. */
  #wholeDue = false;
  readonly #hasher = new SnapshotHasher();
  #error: string | null = null;
  #listensOnly = false;
  #stream: ControlStream | null = null;
  /** Where that was reached. */
  #reached: Address | null = null;
  /** It says where it is: it wants to know who knows. */
  #placed = false;
  #closed = false;
  #connected = false;
  /** The controller says that this machine is no member, or that its certificate is not accepted. */
  #refused = false;
  /** Snapshots are taken one after the other, also when one waits for its policies. */
  #working: Promise<void> = Promise.resolve();

  constructor(readonly options: SnapshotFollowerOptions) {
    const { runtime, folder, control, machine, rates, unconfirmed, missing, log } = options;
    this.#control = control;
    this.#backoff = new Backoff({
      firstMs: limits.reconnectMs,
      maxMs: limits.reconnectMaxMs,
      unit: () => runtime.random.unit(),
    });
    const { files, clock } = runtime;
    this.rates = new RateLeases({ files, clock, path: folder.rates, control: this.#control, rates, log });
    this.askBudgets = budgetLink(this.#control);
    this.wanted = new WantedServices({
      files: runtime.files,
      clock: runtime.clock,
      path: folder.uses,
      control: this.#control,
      declared: () =>
        machine().services.flatMap((each) => each.upstreams.map(({ service }) => serviceKey(service))),
      unconfirmed,
      missing,
      log,
    });
  }

  /** Applies what is on disk, then begins to follow the controller. */
  async start(): Promise<void> {
    const { runtime, folder, log } = this.options;
    await this.wanted.load();
    await this.rates.load();
    const last = await readJson<Snapshot>(runtime.files, folder.snapshot).catch((error: Error) => {
      log(`cannot use the last snapshot: ${error.message}`);
      return null;
    });
    if (last !== null && !isWhole(last)) log("cannot use the last snapshot: it was damaged");
    else if (last !== null) {
      this.#received = last;
      await this.options.policies.prepareFromDisk(last);
      await this.#apply(last);
      const saved = await runtime.files.stat(folder.snapshot);
      this.confirmedMs = saved?.modifiedMs ?? 0;
    }
    this.#follow();
    this.rates.begin();
  }

  /** Tells the controller how things stand: version, problem, certificates. */
  report(): void {
    if (this.#listensOnly) return;
    this.#report.tell();
  }

  /** On the stream where the controller takes it there: a call of its own costs a connection. */
  async #tell(): Promise<void> {
    const reply = this.#standing();
    if (this.#stream?.send({ kind: "reply", ...reply } satisfies UpLine) === true) return;
    await this.#control.call("POST", controllerPaths.reply, reply);
  }

  #standing(): SnapshotReply {
    const { store } = this.options;
    const certificates = [store.node, ...store.services.values()].flatMap((each) =>
      each === null ? [] : [{ id: each.spiffeId, notAfterMs: each.notAfterMs, issuedMs: each.issuedMs }],
    );
    return {
      version: this.#version,
      // The controller takes no longer one, and would end the stream that it came on.
      error: this.#error?.slice(0, limits.snapshotProblemLengthMax).toWellFormed() ?? null,
      certificates,
      ...(this.#placed ? { controllers: this.options.places.controllers(), about: this.#about() } : {}),
    };
  }

  #about(): ProxyAbout {
    const units = this.options
      .machine()
      .services.flatMap(({ service, port, unit }) =>
        unit === undefined ? [] : [{ service: serviceKey(service), port, unit }],
      );
    const problems = this.options.problems?.() ?? [];
    // Controllers of before know of none.
    return {
      version: version(),
      units,
      policies: ownSupport,
      ...(problems.length === 0 ? {} : { problems }),
    };
  }

  /** Another proxy is this machine to the mesh: snapshots are put in force here, and nothing is said or written of it. */
  listenOnly(): void {
    this.#listensOnly = true;
    this.rates.close();
  }

  close(): void {
    this.#closed = true;
    this.#stream?.close();
    this.rates.close();
    this.#control.close();
  }

  #follow(): void {
    if (this.#closed) return;
    const { runtime, log } = this.options;
    const body: SubscribeRequest = { version: this.#wholeDue ? "" : this.#version, uses: this.wanted.list() };
    this.#stream = this.#control.stream(
      `${controllerPaths.snapshots}?patches`,
      {
        reached: (server) => {
          this.#reached = server;
          this.#placed = false;
        },
        line: (message) => {
          if (!this.#connected) this.#begun(body.uses);
          this.#backoff.reset();
          const line = message as SnapshotLine;
          // Not in turn with snapshots: one of those may wait for its policies.
          if (line.kind === "ask" || line.kind === "cancel") return this.options.asked(line);
          if (line.kind === "keep") return this.options.keep(line.traces);
          if (line.kind === "control-plane") return void this.#place(line);
          this.#working = this.#working.then(() => this.#take(line));
        },
        ended: (error) => {
          this.#stream = null;
          this.options.disconnected();
          if (isRefused(error)) this.#notMember(`the controller refuses this machine: ${error.message}`);
          else if (this.#connected)
            log(`the controller is away, serving what is known: ${error?.message ?? "it ended the stream"}`);
          this.#connected = false;
          runtime.clock.after(this.#backoff.nextMs(), () => void this.#again(), true);
        },
      },
      body,
      { both: true },
    );
  }

  async #place(line: ControlPlace): Promise<void> {
    await this.options.places.told(line, this.#reached);
    this.#placed = true;
    this.report();
  }

  /** false: the controller said that this machine is not part of the mesh any more. */
  get member(): boolean {
    return !this.#refused;
  }

  async #again(): Promise<void> {
    const { places, log } = this.options;
    await places.look().catch((error: Error) => log(`cannot read where the controller is: ${error.message}`));
    if (this.#refused)
      await this.options
        .refused()
        .catch((error: Error) => this.options.log(`cannot read the certificates again: ${error.message}`));
    this.#follow();
  }

  #notMember(reason: string): void {
    if (!this.#refused)
      this.options.log(`${reason}; join it again with a new token, and it takes that over by itself`);
    this.#refused = true;
  }

  /** The stream stands. What was wanted meanwhile, and what nobody was told of while it did not, is asked for. */
  #begun(told: readonly string[]): void {
    this.options.log("connected to the controller");
    this.#connected = true;
    if (this.options.unconfirmed().length > 0 || this.wanted.list().join() !== told.join()) this.wanted.ask();
  }

  async #take(
    line: Exclude<SnapshotLine, AskLine | { readonly kind: "keep" | "control-plane" }>,
  ): Promise<void> {
    if (this.#closed) return;
    if (line.kind === "heartbeat") {
      this.#report.repeat();
      return this.#confirm();
    }
    if (line.kind === "removed")
      return this.#notMember("this machine was removed from the mesh, and its certificates are not renewed");
    this.#refused = false;
    if (line.kind === "current" && line.version === this.#version) this.#error = null;
    if (line.kind === "snapshot") {
      this.#wholeDue = false;
      await this.#takeSnapshot(line.snapshot);
    }
    if (line.kind === "patch") await this.#takePatch(line);
    this.#confirm();
    this.report();
  }

  /** What was refused is not confirmed: the one in force grows older. */
  #confirm(): void {
    if (this.#version !== "" && this.#error === null) this.confirmedMs = this.options.runtime.clock.wallMs();
  }

  /** What does not become what its version says is asked for whole. */
  async #takePatch(patch: SnapshotPatch): Promise<void> {
    if (this.#wholeDue) return;
    const before = this.#received;
    const next = before === null || before.version !== patch.from ? null : patched(before, patch);
    if (next !== null && isWhole(next, this.#hasher)) return this.#takeSnapshot(next);
    this.options.log(`cannot take a change of the snapshot ${patch.from.slice(0, 8)}: it is asked for whole`);
    this.#received = null;
    this.#wholeDue = true;
    this.#stream?.close();
    this.#follow();
  }

  async #takeSnapshot(snapshot: Snapshot): Promise<void> {
    const { runtime, folder, policies, store, log } = this.options;
    try {
      if (snapshot.format !== 1)
        throw new Error(`its format is ${String(snapshot.format)}, this binary knows 1`);
      if (!isWhole(snapshot, this.#hasher)) throw new Error("its content is not what its version says");
      this.#received = snapshot;
      await policies.prepare(snapshot, (hash) =>
        this.#control.fetchBytes(controllerPaths.policy.replace(":hash", hash)),
      );
      await store.setBundle(snapshot.bundle);
      await this.#apply(snapshot);
      this.#error = null;
    } catch (error) {
      this.#error = problemOf(error);
      log(`refused snapshot ${snapshot.version.slice(0, 8)}: ${this.#error}`);
      return;
    }
    if (this.#listensOnly) return;
    await runtime.files
      .writeAtomic(folder.snapshot, JSON.stringify(snapshot), 0o600)
      .catch((error: Error) =>
        log(`cannot save the snapshot, a restart would start with an older one: ${error.message}`),
      );
  }

  async #apply(snapshot: Snapshot): Promise<void> {
    await this.options.apply(snapshot);
    this.options.policies.applied(snapshot);
    this.#version = snapshot.version;
    const there = new Set(snapshot.destinations.map((each) => serviceKey(each.service)));
    this.wanted.keep((key) => there.has(key));
  }
}

function isRefused(error: Error | null): error is ControlRefusal {
  return error instanceof ControlRefusal && (error.status === 401 || error.status === 403);
}
