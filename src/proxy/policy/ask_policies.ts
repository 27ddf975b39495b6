/** Asks the policies of a route about a request, which waits for what they decide. */
import type { ClientWatch, ServerExchange } from "../../http/exchange.ts";
import type { Outcome } from "../../model/outcome.ts";
import type { PolicyBinding } from "../../model/snapshot.ts";
import type { ServiceName } from "../../model/service.ts";
import { bodyByHead, bodyBytesFor, bodyInFull, unreadBody, type BodySeen } from "../../policy/bodies.ts";
import type { Fields } from "../../wire/fields.ts";
import { noFields } from "../../wire/head_fields.ts";
import type { PolicyCall } from "../../policy/policy_call.ts";
import type { AskService } from "../../policy/service_call.ts";
import type { PolicyVerdict } from "../../policy/verdict.ts";
import type { NormalTarget } from "../../wire/target.ts";
import type { CallRecord } from "../record/call_record.ts";
import { ExchangePolicies } from "./exchange_policies.ts";
import type { LiveDestination, LiveRoute } from "../state/live_service.ts";
import type { ProxyParts } from "../state/proxy_parts.ts";
import type { PolicyReach } from "../state/policy_reach.ts";

/** A body that waits until policies have seen it. */
export interface Holding {
  /** `then` hears once of all of it, or why not: it is longer than `most` bytes, or too much waits already. */
  hold(most: number, then: (whole: Uint8Array | "too long" | "left out") => void): void;
}

export interface Question {
  readonly exchange: ServerExchange;
  readonly body: Holding;
  readonly record: CallRecord;
  /** The target as it would leave now; null: as it came. */
  readonly target: NormalTarget | null;
  readonly called: LiveDestination;
  readonly route: LiveRoute;
  /** When its caller waits no longer, milliseconds of the shard's clock; Infinity: nobody said. */
  readonly untilMs: number;
  /** What the state in force for the request knows of where decisions may lead. */
  readonly reach: PolicyReach;
  /** How they ask services. */
  readonly services: AskService;
}

/** Hears the verdict, or that the client had left when it came. */
export interface Asking extends ClientWatch {
  /** The exchange is over for another reason: nothing is to be told. */
  readonly finished: boolean;
  /** What those that saw its request are asked about the rest of it; null: nothing. */
  policies: ExchangePolicies | null;
  decided(route: LiveRoute, verdict: PolicyVerdict): void;
  over(outcome: Outcome): void;
}

/** The policies go on whether the client leaves or not: until they have decided the request holds its places. */
export function askPolicies(parts: ProxyParts, question: Question, asking: Asking): void {
  const { exchange, record, called, route, reach, services } = question;
  const { shard, policies } = parts;
  const { method, authority } = exchange.request;
  const { target } = question.target ?? exchange.request;
  // Policies may still read when the client has left and the head is another's.
  const fields = exchange.request.fields.copy();
  const { sourceId, requestId } = record;
  const { service } = called.declared;
  const hook = "onRequest" as const;
  const { remoteAddress: address } = exchange.connection;
  const head = { hook, address, method, authority, target, fields, sourceId, service, requestId, services };
  const { untilMs } = question;
  const call = untilMs === Infinity ? head : { ...head, deadlineMs: Math.round(untilMs - shard.clock.now()) };
  const tell = (verdict: PolicyVerdict): void => {
    exchange.watch(asking);
    if (exchange.finished) asking.over(leftWhileDeciding);
    else asking.decided(route, verdict);
  };
  const decided = (verdict: PolicyVerdict): void => {
    shard.enter();
    record.policies = [...verdict.records];
    if (verdict.later !== undefined) asking.policies = new ExchangePolicies(shard, record, verdict.later);
    if (asking.finished) asking.policies?.ended();
    else tell(verdict);
    shard.leave();
  };
  const ask = (body: BodySeen | null): void => {
    exchange.watch(null);
    policies.evaluate(route.policies, body === null ? call : { ...call, body }, decided, reach);
  };
  seeBody(bodyBytesFor(route.policies, "request"), exchange.request, question.body, shard, ask);
}

/** What policies that want to see so many bytes see of a body; null: none of them wants to see any. */
function seeBody(
  most: number,
  head: { readonly fields: Fields; readonly contentLength: number },
  body: Holding,
  { buffered }: Pick<ProxyParts["shard"], "buffered">,
  then: (seen: BodySeen | null) => void,
): void {
  if (most === 0) return then(null);
  const known = bodyByHead(head.fields, head.contentLength, most);
  if (known !== null) return then(known);
  if (buffered.tight) return then(unreadBody("left out"));
  body.hold(most, (whole) => then(typeof whole === "string" ? unreadBody(whole) : bodyInFull(whole)));
}

/** A call that has arrived at the server's side, or a connection at either. */
export interface Arrived {
  readonly finished: boolean;
  policies: ExchangePolicies | null;
  decided(verdict: PolicyVerdict): void;
}

/** One that brings a request. */
export interface ArrivedRequest extends Arrived, Holding {
  /** -1: nobody said. */
  readonly bodyLength: number;
}

/** Asks the policies of the server's side, once access rules have let the request in. */
export function askAtServer(
  parts: Pick<ProxyParts, "shard" | "policies">,
  bindings: readonly PolicyBinding[],
  record: CallRecord,
  call: ArrivedCall,
  arrived: ArrivedRequest,
): void {
  const head = { fields: call.fields, contentLength: arrived.bodyLength };
  seeBody(bodyBytesFor(bindings, "request"), head, arrived, parts.shard, (body) =>
    askArrived(parts, bindings, record, body === null ? call : { ...call, body }, arrived),
  );
}

type ArrivedCall = Omit<PolicyCall, "sourceId" | "requestId" | "fields"> & { readonly fields: Fields };

/** Asks those that see connections, at either side; or requests, at the server's. */
export function askArrived(
  { shard, policies }: Pick<ProxyParts, "shard" | "policies">,
  bindings: readonly PolicyBinding[],
  record: CallRecord,
  call: Omit<PolicyCall, "sourceId" | "requestId">,
  arrived: Arrived,
): void {
  const { sourceId, requestId } = record;
  const decided = (verdict: PolicyVerdict): void => {
    shard.enter();
    record.policies = [...verdict.records];
    if (verdict.later !== undefined) arrived.policies = new ExchangePolicies(shard, record, verdict.later);
    if (arrived.finished) arrived.policies?.ended();
    else arrived.decided(verdict);
    shard.leave();
  };
  policies.evaluate(bindings, { sourceId, requestId, ...call }, decided, null);
}

/** What policies learn of a connection: `protocol` stands where a request has its method. */
export function connectionCall(
  service: ServiceName,
  protocol: string,
  client: string,
): Omit<PolicyCall, "sourceId" | "requestId"> {
  const about = {
    hook: "onConnection",
    method: protocol,
    authority: "",
    target: "",
    fields: noFields,
    service,
  } as const;
  const address = client.slice(0, client.lastIndexOf(":"));
  return address === "" ? about : { ...about, address };
}

const leftWhileDeciding: Outcome = {
  flag: "DC",
  side: "downstream",
  repeat: "no",
  status: 499,
  detail: "the client left while policies decided",
};
