/**
 * Outbound pipeline: one exchange from a local service to a chosen endpoint. The order of the stages is this file and
 * nowhere else: find the service, match the route, ask the policies, choose the backend, then per attempt pick an endpoint
 * and forward. Nothing here waits unless it must: without policies a request passes in one turn of the event loop.
 */
import type { ServerExchange } from "../http/exchange.ts";
import { limits } from "../model/limits.ts";
import type { Outcome } from "../model/outcome.ts";
import { serviceKey } from "../model/service.ts";
import type { PolicyBinding } from "../model/snapshot.ts";
import type { PolicyChain, PolicyVerdict } from "../policy/chain.ts";
import type { AttemptRecord, ExchangeRecord } from "../telemetry/record.ts";
import { noEdits, type FieldEdits } from "../wire/fields.ts";
import type { Balancer } from "./balance/balancer.ts";
import type { EndpointState } from "./balance/endpoint_state.ts";
import { checkAccess, identityFields, type InboundContext } from "./inbound.ts";
import { Relay, type RelayOwner } from "./relay.ts";
import { isRequestId } from "./request_id.ts";
import { rescue } from "./rescue.ts";
import { chooseBackend, matchRoute, type LiveRoute } from "./route/match_route.ts";
import { remotePool, type LiveDestination, type LiveLocal, type StateOptions } from "./state.ts";
import type { Pool } from "./upstream/pool.ts";

export interface OutboundContext extends InboundContext {
  readonly stateOptions: StateOptions;
  readonly policies: PolicyChain;
  /** Finds a service that the snapshot does not have yet; calls with true once it does, false when nobody has it. */
  readonly discover: (key: string, found: (known: boolean) => void) => void;
}

/** A call of the local service `source` to `key`. */
export function serveOutbound(
  context: OutboundContext,
  source: string,
  key: string,
  exchange: ServerExchange,
): void {
  const record = outboundRecord(context, source, key, exchange);
  const destination = context.state()?.destinations.get(key);
  if (destination !== undefined) return route(context, exchange, record, destination);
  context.discover(key, () => {
    if (exchange.finished) return;
    const found = context.state()?.destinations.get(key);
    if (found !== undefined) return route(context, exchange, record, found);
    const detail = `there is no service "${key}" in this mesh, or the controller has not told this machine about it`;
    refuse(context, exchange, record, { flag: "NC", side: "mesh", repeat: "no", status: 404, detail });
  });
}

/** A call to a name that is none of the mesh. */
export function refuseUnknown(context: OutboundContext, source: string, exchange: ServerExchange): void {
  const { authority } = exchange.request;
  const detail = `"${authority}" is no name of the mesh: expected <service>.mesh or <service>.<namespace>.mesh`;
  refuse(context, exchange, outboundRecord(context, source, "", exchange), {
    flag: "NC",
    side: "downstream",
    repeat: "no",
    status: 404,
    detail,
  });
}

function route(
  context: OutboundContext,
  exchange: ServerExchange,
  record: ExchangeRecord,
  destination: LiveDestination,
): void {
  const { request } = exchange;
  let live: LiveRoute | null = null;
  if (destination.routes.length > 0) {
    live = matchRoute(destination.routes, request);
    if (live === null) {
      record.route = "unmatched";
      const detail = `no rule of ${destination.key} matches ${request.method} ${request.path}`;
      return refuse(context, exchange, record, {
        flag: "NR",
        side: "downstream",
        repeat: "no",
        status: 404,
        detail,
      });
    }
    record.route = live.route.name;
  }
  record.destinationId = destination.destination.spiffeId;
  const bindings = bindingsOf(destination, live);
  if (bindings.length === 0) return forward(context, exchange, record, destination, live, null);
  const { method, authority, target, fields } = request;
  const { sourceId, requestId } = record;
  const { service } = destination.destination;
  context.policies.evaluate(
    bindings,
    { method, authority, target, fields, sourceId, service, requestId },
    (verdict) => {
      context.shard.enter();
      obey(context, exchange, record, destination, live, verdict);
      context.shard.leave();
    },
  );
}

function bindingsOf(destination: LiveDestination, live: LiveRoute | null): readonly PolicyBinding[] {
  const own = destination.destination.policies;
  const ofRoute = live?.route.policies ?? own.slice(0, 0);
  if (ofRoute.length === 0) return own;
  return own.length === 0 ? ofRoute : [...own, ...ofRoute];
}

function obey(
  context: OutboundContext,
  exchange: ServerExchange,
  record: ExchangeRecord,
  destination: LiveDestination,
  live: LiveRoute | null,
  verdict: PolicyVerdict,
): void {
  record.policies.push(...verdict.records);
  if (exchange.finished) {
    record.outcome = {
      flag: "DC",
      side: "downstream",
      repeat: "no",
      status: 499,
      detail: "the caller left while a policy decided",
    };
    return context.recorder.finish(record, context.shard.clock.now());
  }
  switch (verdict.do) {
    case "error":
      return refuse(context, exchange, record, verdict.outcome);
    case "respond":
      return respond(context, exchange, record, verdict);
    case "next":
      return forward(context, exchange, record, destination, live, {
        edits: verdict.edits,
        target: verdict.target,
        subset: undefined,
      });
    case "route": {
      const chosen = context.state()?.destinations.get(serviceKey(verdict.service));
      if (chosen === undefined) {
        const detail = `a policy chose the service "${serviceKey(verdict.service)}", which this machine does not know`;
        return refuse(context, exchange, record, {
          flag: "NC",
          side: "policy",
          repeat: "no",
          status: 500,
          detail,
        });
      }
      record.service = chosen.key;
      record.destinationId = chosen.destination.spiffeId;
      return forward(context, exchange, record, chosen, live, {
        edits: verdict.edits,
        target: verdict.target,
        subset: verdict.subset,
      });
    }
  }
}

/** What a policy decided about the way on. `subset` undefined: the route's backends decide. */
interface Decided {
  readonly edits: FieldEdits;
  /** Path and query to forward instead; null: as it came. */
  readonly target: string | null;
  readonly subset: string | null | undefined;
}

function forward(
  context: OutboundContext,
  exchange: ServerExchange,
  record: ExchangeRecord,
  routed: LiveDestination,
  live: LiveRoute | null,
  decided: Decided | null,
): void {
  const backend =
    decided?.subset === undefined
      ? chooseDestination(context, routed, live)
      : { destination: routed, subset: decided.subset };
  if ("flag" in backend) return refuse(context, exchange, record, backend);
  const { destination, subset } = backend;
  if (destination !== routed) {
    record.service = destination.key;
    record.destinationId = destination.destination.spiffeId;
  }
  const balancer = subset === null ? destination.whole : destination.subsets.get(subset);
  if (balancer === undefined) {
    const detail = `the service ${destination.key} has no subset "${subset}"`;
    return refuse(context, exchange, record, {
      flag: "NC",
      side: decided === null ? "mesh" : "policy",
      repeat: "no",
      status: 500,
      detail,
    });
  }
  const nowMs = record.startedMs;
  destination.budget.request(nowMs);
  const { request } = exchange;
  const edits = decided?.edits ?? noEdits;
  const owner = new EndpointOwner(context, destination, balancer, subset);
  new Relay({
    shard: context.shard,
    recorder: context.recorder,
    owner,
    exchange,
    record,
    requestEdits: {
      remove: edits.remove.length === 0 ? identityFields : [...identityFields, ...edits.remove],
      set: ["x-request-id", record.requestId, ...edits.set],
      add: edits.add.length === 0 ? viaHeddle : [...viaHeddle, ...edits.add],
    },
    responseEdits: { remove: internalFields, set: ["x-request-id", record.requestId], add: none },
    authority: request.authority,
    target: decided?.target ?? request.target,
    idempotent: live?.route.idempotent ?? false,
    stream: destination.destination.stream,
    requestTimeoutMs: live?.route.requestTimeoutMs ?? null,
    fromMesh: false,
    toMesh: () => owner.remote,
  }).begin();
}

const viaHeddle: readonly string[] = ["via", "1.1 heddle"];
const internalFields: readonly string[] = ["x-heddle-repeat"];
const none: readonly string[] = [];

interface ChosenBackend {
  readonly destination: LiveDestination;
  readonly subset: string | null;
}

function chooseDestination(
  context: OutboundContext,
  routed: LiveDestination,
  live: LiveRoute | null,
): ChosenBackend | Outcome {
  if (live === null) return { destination: routed, subset: null };
  const backend = chooseBackend(live, context.random.unit());
  const wrong = (detail: string): Outcome => ({
    flag: "NC",
    side: "mesh",
    repeat: "no",
    status: 500,
    detail,
  });
  if (backend === null) return wrong(`the route ${live.route.name} has no backend with a weight`);
  if (backend.invalid !== null)
    return wrong(`the route ${live.route.name} leads nowhere: ${backend.invalid}`);
  const key = serviceKey(backend.service);
  const destination = key === routed.key ? routed : context.state()?.destinations.get(key);
  return destination === undefined
    ? wrong(`the route ${live.route.name} leads to ${key}, which this machine does not know`)
    : { destination, subset: backend.subset };
}

/** Picks endpoints for the attempts of one exchange and keeps their load. */
class EndpointOwner implements RelayOwner {
  /** The current attempt goes to another machine. */
  remote = false;
  #current: EndpointState | null = null;
  #tried: EndpointState[] = [];

  constructor(
    readonly context: OutboundContext,
    readonly destination: LiveDestination,
    readonly balancer: Balancer,
    readonly subset: string | null,
  ) {}

  route(relay: Relay): Pool | Outcome {
    const { context, destination } = this;
    const { record, exchange } = relay.options;
    const picked = this.balancer.pick(this.#tried, context.shard.clock.now());
    if (picked === null) return this.#nobody();
    this.#current = picked;
    picked.started();
    record.endpoint = picked.endpoint.id;
    const state = context.state();
    const local =
      state !== null && picked.endpoint.node === state.snapshot.node
        ? state.locals.get(destination.key)
        : undefined;
    this.remote = local === undefined;
    record.tls = this.remote;
    if (local !== undefined) return enterLocal(local, record, exchange);
    const endpoint = destination.endpoints.get(picked.endpoint.id);
    if (endpoint === undefined) return this.#nobody();
    return remotePool(context.stateOptions, destination, endpoint, record.source);
  }

  attempted(relay: Relay, outcome: Outcome | null, latencyMs: number): void {
    const current = this.#current;
    if (current === null) return;
    const nowMs = this.context.shard.clock.now();
    if (outcome === null) current.answered(latencyMs, nowMs);
    else {
      current.failed(nowMs);
      current.ended();
      this.#current = null;
      this.#tried.push(current);
    }
    const { record } = relay.options;
    if (outcome === null && relay.attempts === 1) return;
    const attempt: AttemptRecord = {
      endpoint: current.endpoint.id,
      ms: latencyMs,
      result: outcome === null ? "ok" : outcome.flag,
    };
    record.attempts.push(attempt);
    this.context.recorder.attempt(record.service, relay.attempts === 1 ? "first" : "repeat", attempt.result);
  }

  mayRetry(relay: Relay): boolean {
    if (relay.attempts >= limits.attemptsMax) return false;
    return this.destination.budget.take(this.context.shard.clock.now());
  }

  finished(): void {
    this.#current?.ended();
    this.#current = null;
  }

  #nobody(): Outcome {
    const { key, destination } = this.destination;
    const known = destination.endpoints.length;
    const of = this.subset === null ? key : `${key}, subset ${this.subset}`;
    const detail =
      known === 0 ? `no instance of ${of} is running` : `none of the ${known} instances of ${of} is ready`;
    return { flag: "UH", side: "upstream", repeat: "yes", status: 503, detail };
  }
}

/** The inbound pipeline of this same process: access rules first, then straight to the app. */
function enterLocal(local: LiveLocal, record: ExchangeRecord, exchange: ServerExchange): Pool | Outcome {
  return checkAccess(local, record, exchange.request.method, exchange.request.path) ?? local.app;
}

function outboundRecord(
  context: OutboundContext,
  source: string,
  key: string,
  exchange: ServerExchange,
): ExchangeRecord {
  const { request } = exchange;
  const given = request.fields.get("x-request-id");
  return {
    direction: "outbound",
    kind: "http",
    startedMs: context.shard.clock.now(),
    service: key,
    source,
    sourceId: context.state()?.locals.get(source)?.local.spiffeId ?? "",
    destinationId: "",
    tls: false,
    requestId: given !== null && isRequestId(given) ? given : context.requestIds.next(),
    method: request.method,
    path: request.path,
    protocol: request.version,
    route: "",
    status: 0,
    outcome: null,
    firstByteMs: 0,
    bytesIn: 0,
    bytesOut: 0,
    endpoint: "",
    attempts: [],
    policies: [],
    access: null,
  };
}

function respond(
  context: OutboundContext,
  exchange: ServerExchange,
  record: ExchangeRecord,
  verdict: Extract<PolicyVerdict, { do: "respond" }>,
): void {
  const body = new TextEncoder().encode(verdict.body);
  record.status = verdict.status;
  record.outcome = {
    flag: "PD",
    side: "policy",
    repeat: "no",
    status: verdict.status,
    detail: verdict.reason,
  };
  const { headers } = verdict;
  const set = ["x-request-id", record.requestId, ...headers.set];
  exchange.respond(verdict.status, null, { remove: headers.remove, set, add: headers.add }, body.length);
  exchange.write(body);
  exchange.end(null);
  context.recorder.finish(record, context.shard.clock.now());
}

function refuse(
  context: OutboundContext,
  exchange: ServerExchange,
  record: ExchangeRecord,
  outcome: Outcome,
): void {
  record.outcome = outcome;
  record.status = outcome.status;
  rescue(exchange, outcome, record.requestId, false, false);
  context.recorder.finish(record, context.shard.clock.now());
}
