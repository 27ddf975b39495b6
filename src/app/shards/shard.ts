/**
 * One shard of a proxy: a process that carries traffic, with an event loop, pools and balancers of its own. All that it knows its keeper
 * tells it, and it ends with it.
 */
import type { Runtime } from "../../../runtime/contract.ts";
import { problemOf } from "../../base/result.ts";
import { Shard } from "../../http/shard.ts";
import { limits } from "../../model/limits.ts";
import { SharedCounters } from "../../policy/shared_counters.ts";
import { bindingsIn } from "../../model/snapshot.ts";
import { createPolicyChain } from "../../policy/chain.ts";
import { DataPlane, type Prepared } from "../../proxy/data_plane.ts";
import { AcceptGate } from "../../shards/accept_gate.ts";
import { HandedPorts } from "../../shards/handed_ports.ts";
import { KeptTraces } from "../../proxy/trace/kept_traces.ts";
import { ShardMemory } from "../../shards/shard_memory.ts";
import { every, startChores } from "../chores.ts";
import { faultExitCode, surviveFaults } from "../faults.ts";
import { processMetrics } from "../process_metrics.ts";
import { shardAnswers } from "../proxy_answers.ts";
import { exposeTraffic } from "../proxy_metrics.ts";
import { ProxyObservation } from "../proxy_observation.ts";
import { policyNotes } from "../../telemetry/policy_notes.ts";
import { redirectedTo } from "../settings.ts";
import type { ProxyTracing } from "../tracing.ts";
import { UnitCallers } from "../unit_callers.ts";
import type {
  Beginning,
  FromShard,
  NumberedSnapshot,
  PortMessage,
  ShutMessage,
  ToShard,
} from "./messages.ts";
import { RemoteBudgets } from "./remote_budgets.ts";
import { RemotePolicies } from "./remote_policies.ts";
import { ShardLines } from "./shard_lines.ts";
import { ShardQuestions } from "./shard_questions.ts";
import { ToldCredentials } from "./told_credentials.ts";

export interface ShardLink {
  send(message: FromShard): void;
  readonly backlogBytes: number;
  /** Writes now what waits. */
  flush(): void;
}

export interface ShardHost {
  readonly runtime: Runtime;
  readonly ports: HandedPorts;
  readonly link: ShardLink;
  readonly gate: { current: AcceptGate | null };
}

/** An order of the keeper, once it has begun. */
type Order = Exclude<ToShard, Beginning | PortMessage | ShutMessage>;

export class TrafficShard {
  readonly #observation: ProxyObservation;
  readonly #credentials: ToldCredentials;
  readonly #shard: Shard;
  readonly #policies: RemotePolicies;
  readonly #budgets: RemoteBudgets;
  readonly #chain: ReturnType<typeof createPolicyChain>;
  readonly #tracing: ProxyTracing;
  readonly #callers: UnitCallers;
  readonly #plane: DataPlane;
  readonly #questions: ShardQuestions;
  readonly #chores: readonly { close(): void }[];
  readonly #prepared = new Map<number, { readonly numbered: NumberedSnapshot; readonly state: Prepared }>();
  #machine: Beginning["machine"];

  constructor(
    readonly host: ShardHost,
    readonly begin: Beginning,
  ) {
    const { runtime, link } = host;
    const { settings } = begin;
    const backlogBytes = (): number => link.backlogBytes;
    const send = (message: FromShard): void => link.send(message);
    const out = new ShardLines({ to: 1, send, backlogBytes });
    const err = new ShardLines({ to: 2, send, backlogBytes });
    this.#machine = begin.machine;
    this.#observation = new ProxyObservation(runtime, settings, begin.logSampleRatio, { out, err });
    const { metrics, recorder, logs } = this.#observation;
    surviveFaults(runtime, metrics, logs.log);
    this.#credentials = new ToldCredentials(settings.trustDomain, runtime.clock);
    this.#credentials.take(begin.credentials);
    const { bytes } = runtime.process.sharedMemory();
    const numbers = new ShardMemory(bytes, begin.shards).region(begin.own);
    this.#shard = new Shard(runtime.clock, undefined, numbers);
    const { microtask } = runtime.clock;
    this.#policies = new RemotePolicies({ send, backlogBytes, microtask });
    this.#budgets = new RemoteBudgets(send);
    this.#chain = createPolicyChain(
      this.#policies,
      runtime.clock,
      policyNotes(metrics, runtime.clock, logs.log),
      settings.node,
      new SharedCounters(() => runtime.clock.now(), begin.shards),
    );
    recorder.watch((record) => this.#chain.trials.finished(record));
    const control = { call: (_method: string, _path: string, told: unknown) => this.#tell(told) };
    const kept = new KeptTraces(numbers.row("traces that are kept", limits.keptTracesMax).numbers);
    this.#tracing = this.#observation.trace(control, () => this.#plane.state?.zone ?? "", kept);
    this.#callers = new UnitCallers({ runtime, machine: () => this.#machine, recorder });
    this.#plane = this.#makePlane();
    this.#questions = new ShardQuestions(
      shardAnswers({ recorder, plane: this.#plane, clock: runtime.clock, policies: this.#chain }),
      send,
    );
    this.#open();
    this.#chores = [
      startChores(runtime, this.#shard, logs),
      every(runtime.clock, limits.shardReportMs, () => this.#report()),
    ];
  }

  #makePlane(): DataPlane {
    const { runtime, ports, link } = this.host;
    const { settings, machine, inbound, firstSlices } = this.begin;
    return new DataPlane({
      node: settings.node,
      files: runtime.files,
      net: runtime.net,
      listening: ports,
      shard: this.#shard,
      random: runtime.random,
      recorder: this.#observation.recorder,
      tracer: this.#tracing.tracer,
      credentials: this.#credentials,
      policies: this.#chain,
      machine,
      inbound,
      loopback: settings.loopback,
      outboundFirstPort: settings.ports.outboundFirst,
      redirected: redirectedTo(settings),
      callerOf: this.#callers.of,
      ask: () => link.send({ kind: "ask", wanted: this.#plane.wanted() }),
      confirmed: (key) => link.send({ kind: "confirmed", key }),
      firstSlice: (key) => firstSlices[key] ?? null,
      askBudgets: this.#budgets.ask,
      log: this.#observation.logs.log,
    });
  }

  /** Carries traffic from here on. */
  #open(): void {
    const { runtime, ports, gate, link } = this.host;
    const { inForce, virtual, shards, own } = this.begin;
    if (inForce !== null) this.#apply(inForce, this.#plane.prepare(inForce.snapshot));
    this.#plane.open();
    for (const place of virtual) this.#plane.virtual.open(place);
    const { bytes } = runtime.process.sharedMemory();
    const { counts, beats } = new ShardMemory(bytes, shards);
    gate.current = new AcceptGate({
      ...{ clock: runtime.clock, counts, beats, own },
      open: () => this.#plane.drained.size,
      changed: (accepts) => ports.change(accepts),
    });
    const { metrics } = this.#observation;
    processMetrics(runtime, metrics, (ms) => this.#plane.loopDelayed(ms));
    exposeTraffic(metrics, this.#plane);
    link.send({ kind: "ready" });
  }

  take(order: Order): void {
    switch (order.kind) {
      case "prepare":
        return this.#prepare(order);
      case "enforce":
      case "forget":
        return this.#settle(order.number, order.kind === "enforce");
      case "credentials":
        this.#credentials.take(order.credentials);
        return order.changed ? this.#plane.credentialsChanged() : undefined;
      case "machine":
        this.#machine = order.machine;
        return this.#plane.changeMachine(order.machine);
      case "virtual":
        this.#plane.virtual.keep(order.places);
        return order.places.forEach((place) => this.#plane.virtual.open(place));
      case "slices":
        this.#chain.shared.given(order.slices, order.askedMs);
        return this.#plane.rates.given(order.slices, order.askedMs);
      case "budgets":
        return this.#budgets.answered(order);
      case "missing":
        return this.#plane.missing(order.keys);
      case "keep":
        return this.#tracing.keep(order.traces);
      case "question":
        return this.#questions.take(order.ask, order.question);
      case "cancel":
        return this.#questions.cancel(order.ask);
      case "policy-answer":
        return this.#policies.answered(order.call, order.answer, order.atMs);
      case "gather":
        this.#report();
        return this.host.link.send({ kind: "gathered", number: order.number });
      case "retire":
        return this.#plane.drained.retire(order.softly);
      case "when-gone":
        return this.#whenGone(order.number);
      case "end":
        return void this.#end();
    }
  }

  #prepare({ number, snapshot }: NumberedSnapshot): void {
    let problem: string | null = null;
    try {
      this.#prepared.set(number, { numbered: { number, snapshot }, state: this.#plane.prepare(snapshot) });
    } catch (error) {
      problem = problemOf(error);
    }
    this.host.link.send({ kind: "prepared", number, problem });
  }

  #settle(number: number, enforced: boolean): void {
    const prepared = this.#prepared.get(number);
    this.#prepared.delete(number);
    if (prepared === undefined) {
      // What carries traffic by another snapshot than the others is worse than none: the one in its place begins with this one.
      if (!enforced) return;
      this.#observation.logs.log(
        `cannot go by snapshot ${number}, which was not prepared here: this one ends`,
      );
      return this.host.runtime.process.exit(faultExitCode);
    }
    if (enforced) this.#apply(prepared.numbered, prepared.state);
    else prepared.state.forget();
  }

  #apply(numbered: NumberedSnapshot, state: Prepared): void {
    this.#policies.know(numbered, this.#chain.held.keys());
    this.#chain.trials.keep(bindingsIn(numbered.snapshot));
    state.enforce();
    this.#observation.apply(numbered.snapshot);
  }

  #whenGone(number: number): void {
    const { drained } = this.#plane;
    drained.whenGone(() => this.host.link.send({ kind: "gone", number, open: drained.size }));
  }

  async #tell(traces: unknown): Promise<{ readonly status: number; readonly body: unknown }> {
    this.host.link.send({ kind: "kept", traces: traces as Readonly<Record<string, readonly string[]>> });
    return { status: 204, body: null };
  }

  #report(): void {
    const { link } = this.host;
    // A keeper that is late does not need what is old by then.
    if (link.backlogBytes > limits.shardBacklogBytesMax) return;
    const { rates, shedding } = this.#plane;
    const trials = this.#chain.trials.readings();
    link.send({
      kind: "report",
      metrics: this.#observation.metrics.readAll(),
      asks: { ...rates.asks(), ...this.#chain.shared.asks() },
      wanted: this.#plane.wanted(),
      held: this.#policies.refsOf(this.#chain.held.keys()),
      lowest: shedding.lowest,
      ...(trials.length === 0 ? {} : { trials }),
    });
  }

  async #end(): Promise<void> {
    const { gate, link, runtime } = this.host;
    gate.current?.close();
    this.#plane.end();
    await this.#observation.close();
    for (const chore of this.#chores) chore.close();
    this.#report();
    link.flush();
    runtime.process.exit(0);
  }
}
