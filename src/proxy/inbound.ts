/**
 * Inbound pipeline: one exchange from another proxy, or from a service of this machine, to the local app. The order of the
 * stages is this file and nowhere else: identity, access, forward.
 */
import type { Random } from "../../runtime/contract.ts";
import type { ServerExchange } from "../http/exchange.ts";
import type { Shard } from "../http/shard.ts";
import { principalOf } from "../identity/spiffe_id.ts";
import type { Outcome } from "../model/outcome.ts";
import { serviceKey } from "../model/service.ts";
import type { ExchangeRecord, Recorder } from "../telemetry/record.ts";
import type { FieldEdits } from "../wire/fields.ts";
import { decideAccess } from "./guard/access.ts";
import { Relay, type RelayOwner } from "./relay.ts";
import { isRequestId, type RequestIds } from "./request_id.ts";
import { errorField, repeatField, rescue } from "./rescue.ts";
import type { LiveLocal, ProxyState } from "./state.ts";
import type { Pool } from "./upstream/pool.ts";

export interface InboundContext {
  readonly shard: Shard;
  readonly random: Random;
  readonly recorder: Recorder;
  readonly requestIds: RequestIds;
  readonly state: () => ProxyState | null;
}

/** Fields that only proxies write; what came under these names is not from one. */
export const identityFields: readonly string[] = [
  "x-heddle-caller",
  "x-heddle-attempt",
  repeatField,
  errorField,
  "x-forwarded-client-cert",
];

const responseEdits: FieldEdits = { remove: [], set: [], add: [] };

/** Serves an exchange that came by mTLS for the local service of `key`. */
export function serveInbound(context: InboundContext, key: string, exchange: ServerExchange): void {
  const { request, connection } = exchange;
  const sourceId = connection.peer?.uris[0] ?? "";
  const record = inboundRecord(context, key, exchange, sourceId);
  const local = context.state()?.locals.get(key);
  if (local === undefined) {
    return refuse(context, exchange, record, {
      flag: "NC",
      side: "mesh",
      repeat: "yes",
      status: 503,
      detail: `${key} does not run on this machine`,
    });
  }
  record.destinationId = local.local.spiffeId;
  const denied = checkAccess(local, record, request.method, request.path);
  if (denied !== null) return refuse(context, exchange, record, denied);
  const relay = new Relay({
    shard: context.shard,
    recorder: context.recorder,
    owner: new AppOwner(local.app, local.machine.host),
    exchange,
    record,
    requestEdits: {
      remove: identityFields,
      set: ["x-request-id", record.requestId, "x-heddle-caller", record.source],
      add: ["via", "1.1 heddle"],
    },
    responseEdits,
    authority: request.authority,
    target: request.target,
    idempotent: false,
    stream: local.local.stream,
    requestTimeoutMs: null,
    fromMesh: true,
    toMesh: () => false,
  });
  relay.begin();
}

/** The access rules of a local service; the verdict goes into the record. null: go on. */
export function checkAccess(
  local: LiveLocal,
  record: ExchangeRecord,
  method: string,
  path: string,
): Outcome | null {
  const verdict = decideAccess(local.local.access, { sourceId: record.sourceId, method, path });
  record.access = verdict;
  if (verdict.verdict !== "deny") return null;
  const who = record.source === "" ? "a caller without identity" : record.source;
  const what = method === "" ? `connect to ${local.key}` : `${method} ${path} of ${local.key}`;
  const why = verdict.rule === "default" ? "no Access rule allows it" : `the rule ${verdict.rule} denies it`;
  return { flag: "AD", side: "mesh", repeat: "no", status: 403, detail: `${who} may not ${what}: ${why}` };
}

/** The app has one address: only the race on a kept connection is tried again. */
class AppOwner implements RelayOwner {
  constructor(
    readonly app: Pool,
    readonly host: string,
  ) {}

  route(): Pool {
    return this.app;
  }

  attempted(): void {}

  mayRetry(relay: Relay): boolean {
    return relay.attempts < 2 && relay.options.record.outcome === null;
  }

  finished(): void {}
}

function inboundRecord(
  context: InboundContext,
  key: string,
  exchange: ServerExchange,
  sourceId: string,
): ExchangeRecord {
  const { request } = exchange;
  const given = request.fields.get("x-request-id");
  const principal = principalOf(sourceId, context.state()?.snapshot.trustDomain ?? "");
  return {
    direction: "inbound",
    kind: "http",
    startedMs: context.shard.clock.now(),
    service: key,
    source: principal?.kind === "service" ? serviceKey(principal.service) : "",
    sourceId,
    destinationId: "",
    tls: true,
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

function refuse(
  context: InboundContext,
  exchange: ServerExchange,
  record: ExchangeRecord,
  outcome: Outcome,
): void {
  record.outcome = outcome;
  record.status = outcome.status;
  rescue(exchange, outcome, record.requestId, false, true);
  context.recorder.finish(record, context.shard.clock.now());
}
