/**
 * What several proxies know of one request, put together: its hops, each as both sides saw it, and which of them is the cause of how it
 * ended.
 */
import type { Evidence, RequestLine } from "../../model/evidence.ts";
import type { Flag, Side } from "../../model/outcome.ts";
import { flagMeanings } from "../explain/flags_chapter.ts";
import { nextCommand } from "./next_command.ts";

/** A line of a machine's answer. */
export interface Seen extends RequestLine {
  readonly machine: string;
}

/** One service called another. */
export interface Hop {
  readonly source: string;
  readonly service: string;
  /** As the caller's proxy saw it; null: no proxy that answered remembers that. */
  readonly caller: Seen | null;
  /** As the proxies of the instances did; several where it was tried again. */
  readonly callees: readonly Seen[];
}

export interface Cause {
  readonly machine: string;
  /** null: heddle did its part, and the app itself answered so. */
  readonly flag: Flag | null;
  readonly side: Side;
  readonly detail: string;
  readonly means: string;
  /** A command, or where to look. */
  readonly next: string;
}

export interface Story {
  readonly hops: readonly Hop[];
  /** null: it ended well, or is under way. */
  readonly cause: Cause | null;
}

export function storyOf(seen: readonly Seen[]): Story {
  const hops = hopsOf(seen);
  const [first] = hops;
  const failed = hops.filter(hasFailed);
  if (first === undefined || !hasFailed(first)) return { hops, cause: null };
  // What only ended because its caller left is no cause of it.
  const telling = failed.filter((hop) => tellerOf(hop).record.outcome?.flag !== "DC");
  return { hops, cause: causeOf(telling.at(-1) ?? first) };
}

function hopsOf(seen: readonly Seen[]): Hop[] {
  const inOrder = [...seen].sort((a, b) => a.atMs - b.atMs);
  const hops: (Hop & { readonly callees: Seen[] })[] = inOrder
    .filter(({ record }) => record.direction === "outbound")
    .map((caller) => ({ ...endsOf(caller.record), caller, callees: [] }));
  for (const callee of inOrder.filter(({ record }) => record.direction === "inbound")) {
    const own = hops.filter((hop) => hop.caller !== null && belongs(callee.record, hop.caller.record));
    const before = own.filter((hop) => (hop.caller as Seen).atMs <= callee.atMs);
    const hop = before.at(-1) ?? own[0];
    if (hop === undefined) hops.push({ ...endsOf(callee.record), caller: null, callees: [callee] });
    else hop.callees.push(callee);
  }
  return hops;
}

function endsOf({ source, service }: Evidence): Pick<Hop, "source" | "service"> {
  return { source, service };
}

/** A policy may have led it to another service: then the endpoint tells. */
function belongs(inbound: Evidence, outbound: Evidence): boolean {
  if (inbound.source !== outbound.source || inbound.kind !== outbound.kind) return false;
  const tried = [...outbound.attempts.map(({ endpoint }) => endpoint), outbound.endpoint];
  return tried.includes(inbound.endpoint) || inbound.service === outbound.service;
}

/** Codes of gRPC that say the server failed. */
const grpcFailures: ReadonlySet<string> = new Set(["2", "4", "13", "14", "15"]);

export function isFailure({ outcome, status, grpc }: Evidence): boolean {
  return outcome !== null || status >= 500 || grpcFailures.has(grpc);
}

/** As its caller saw it, where that is known: what was tried again with success did not fail. */
function hasFailed({ caller, callees }: Hop): boolean {
  return caller === null
    ? callees.every(({ record }) => isFailure(record)) && callees.length > 0
    : isFailure(caller.record);
}

/** What a proxy sees of a connection that another one ended says less than what that one knows. */
const seenFromAfar: ReadonlySet<Flag> = new Set(["UR", "UC"]);

/** Whoever knows best why a hop failed: the caller's proxy, unless the callee's says the same from near by. */
function tellerOf({ caller, callees }: Hop): Seen {
  const near = callees.findLast(({ record }) => isFailure(record) && record.outcome?.flag !== "DC");
  if (caller === null) return near ?? (callees.at(-1) as Seen);
  if (near === undefined) return caller;
  const [far, own] = [caller.record.outcome, near.record.outcome];
  if (far === null) return near;
  return own !== null && (own.flag === far.flag || seenFromAfar.has(far.flag)) ? near : caller;
}

function causeOf(hop: Hop): Cause {
  const { machine, record } = tellerOf(hop);
  const { outcome, service, status, grpc } = record;
  if (outcome === null) {
    const answer = grpc === "" || status >= 500 ? String(status) : `the gRPC status ${grpc}`;
    const detail = `the app of ${service} answered ${answer} itself, and heddle handed that on`;
    const [flag, side, means] = [null, "upstream", "The service answered that it failed"] as const;
    return { machine, flag, side, detail, means, next: `the log of the app of ${service}` };
  }
  const { flag, side, detail } = outcome;
  const next = nextCommand(flag, { service, machine: machineOf(hop, record) });
  return { machine, flag, side, detail, means: flagMeanings[flag].means, next };
}

/** Where the instance stands that was called last; "" when none was. */
function machineOf({ caller }: Hop, record: Evidence): string {
  const [node = ""] = (record.endpoint || (caller?.record.endpoint ?? "")).split("/");
  return node;
}
