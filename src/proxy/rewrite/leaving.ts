/**
 * What leaves for an endpoint: the request that came, with what routes, policies and heddle itself change of it. What is decided is
 * kept in one object; what follows from it is pure functions.
 */
import { socketAddress } from "../../base/socket_address.ts";
import type { OutgoingRequest, RequestHead } from "../../http/exchange.ts";
import type { DirectAnswer, Redirect, RouteFilters } from "../../model/document.ts";
import { priorities, usualLevel, type PriorityLevel } from "../../model/priority.ts";
import { mergeEdits, noEdits, type FieldEdits, type Fields } from "../../wire/fields.ts";
import { deadlineFields } from "../../wire/deadline.ts";
import { readsAsItIs, readTarget, type NormalTarget } from "../../wire/target.ts";
import {
  attemptField,
  clientField,
  flowField,
  heddleFields,
  policyField,
  priorityField,
  requestIdField,
  spokeField,
} from "../fields/heddle_fields.ts";
import { answerVia, maxForwardsField, viaOf } from "../fields/hops.ts";
import { tracedEdits } from "../fields/trace_fields.ts";
import type { TraceRef } from "../../model/trace_ref.ts";
import type { LiveDestination } from "../state/live_service.ts";
import { digestFields } from "../../policy/bodies.ts";
import { locationOf, rewrittenTarget } from "./filters.ts";

/** What says where a request comes from, as far as whoever writes it is believed (RFC 7239, and what was there before it). */
const forwardedFields = [
  "forwarded",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
  "x-forwarded-port",
  "x-real-ip",
];

/** What heddle adds to every answer. */
export function answerEdits(requestId: string): FieldEdits {
  return { remove: noEdits.remove, set: [requestIdField, requestId], add: answerVia };
}

/** What heddle adds to every attempt of a request that came in this version (`HTTP/1.1`); the same as to its answer where it can be. */
export function requestEdits(version: string, answer: FieldEdits): FieldEdits {
  const via = viaOf(version);
  return via === answer.add ? answer : { remove: answer.remove, set: answer.set, add: via };
}

/** What heddle writes of its own stands over what policies write, of equal names alone. */
export function withEdits(own: FieldEdits, policy: FieldEdits): FieldEdits {
  return policy === noEdits ? own : mergeEdits(policy, own);
}

/** To an endpoint of this machine, which sees for itself. */
export const notTold = { priority: usualLevel, ofPolicy: false, client: "" } as const;

/** One request as it leaves: what came, and what was decided about it. */
export class Leaving {
  /** Goes on instead of the target that came; null: as it came. */
  target: NormalTarget | null = null;
  /** A policy or a route wrote it. */
  rewritten = false;
  /** The app is asked for it instead; null: for what was asked for. */
  host: string | null = null;
  /** Bytes of the body that goes on in place of the one that came; null: as it came. */
  bodyBytes: number | null = null;
  /** The same before `lengthen`. */
  #writtenBytes: number | null = null;
  /** Stands in for an authority that nobody gave. */
  serverName = "";
  /** Where a client from outside of the mesh comes from; "" for one of the mesh. */
  client = "";
  /** How much it matters, as its route says. */
  priority: PriorityLevel = usualLevel;
  /** All of it must be over by then, milliseconds after it came; null for no limit. */
  timeoutMs: number | null = null;
  #own: FieldEdits;
  #policy: FieldEdits = noEdits;

  constructor(
    readonly came: RequestHead,
    /** What heddle adds to every attempt. */
    own: FieldEdits,
    /** A policy sent it. */
    readonly ofPolicy = false,
  ) {
    this.#own = own;
  }

  /** A field as it goes on, whatever came: policies and routes may have written it; null: there is none. */
  text(name: string): string | null {
    const { remove, set, add } = this.fields(null);
    const written = [...set, ...add];
    const values = written.filter((_, at) => at % 2 === 1 && written[at - 1] === name);
    const isGone = remove.includes(name) || set.some((each, at) => at % 2 === 0 && each === name);
    const came = isGone ? null : this.came.fields.get(name);
    if (came !== null) values.unshift(came);
    return values.length === 0 ? null : values.join(", ");
  }

  /** Its body goes on so many bytes longer than it came, or than policies wrote it; what said what it was says so no more. */
  lengthen(bytes: number): void {
    const { contentLength } = this.came;
    this.#writtenBytes ??= this.bodyBytes ?? contentLength;
    if (contentLength >= 0) this.bodyBytes = this.#writtenBytes + bytes;
    this.change({ remove: digestFields, set: noEdits.set, add: noEdits.add });
  }

  /** Path of the target, without the query. */
  get path(): string {
    return (this.target ?? this.came).path;
  }

  /** Reads the target as that service does. False: it takes none like it. */
  readFor(destination: LiveDestination): boolean {
    const read = targetFor(destination, this.target ?? this.came);
    if (read !== null && read !== this.came) this.target = read;
    return read !== null;
  }

  /** What policies decided of it; they do not undo what was decided before. */
  obey({ edits, target }: { readonly edits: FieldEdits; readonly target: NormalTarget | null }): void {
    this.change(edits);
    if (target === null) return;
    this.target = target;
    this.rewritten = true;
  }

  /** What routes and policies change of it so far, to come back to. */
  get changes(): FieldEdits {
    return this.#policy;
  }

  /** Its body is as long as before `lengthen`, too. */
  set changes(edits: FieldEdits) {
    this.#policy = edits;
    if (this.#writtenBytes !== null && this.#writtenBytes >= 0) this.bodyBytes = this.#writtenBytes;
  }

  /** What its route, or the backend that was chosen, changes of it. */
  change(edits: FieldEdits): void {
    this.#policy = mergeEdits(this.#policy, edits);
  }

  /** What its route writes in place of what was asked for. `prefix`: what of the path it matched. */
  rewrite({ host, path }: NonNullable<RouteFilters["rewrite"]>, prefix: string): void {
    this.host = host ?? null;
    if (path === undefined) return;
    this.target = rewrittenTarget(path, prefix, this.target ?? this.came);
    this.rewritten = true;
  }

  /** The answer that sends its client elsewhere. */
  redirected(redirect: Redirect, prefix: string, authority: string, scheme: "http" | "https"): DirectAnswer {
    const came = this.target ?? this.came;
    const location = locationOf(redirect, prefix, came, authority || this.serverName, scheme);
    return { status: redirect.status, headers: ["location", location], body: "" };
  }

  /** It belongs to this trace. */
  trace(trace: TraceRef, b3: boolean): void {
    this.#own = tracedEdits(this.#own, trace, b3);
  }

  /** It came in from outside of the mesh, by https if so: what it says itself of where it comes from counts for nothing. */
  comesFrom(host: string, port: number, secure: boolean): void {
    this.client = socketAddress(host, port);
    const { remove, set, add } = this.#own;
    const { authority } = this.came;
    const forwarded = ["x-forwarded-for", host, "x-forwarded-proto", secure ? "https" : "http"];
    if (authority !== "") forwarded.push("x-forwarded-host", authority);
    this.#own = { remove: [...remove, ...forwardedFields], set: [...set, ...forwarded], add };
  }

  /** So many further hops are left to it. */
  limitHops(left: number): void {
    const { remove, set, add } = this.#own;
    this.#own = { remove, set: [...set, maxForwardsField, String(left)], add };
  }

  /** The same of a copy of the request that came, for somebody else, under this id. */
  copyOf(came: RequestHead, requestId: string): Leaving {
    const own = mergeEdits(this.#own, { remove: [], set: [requestIdField, requestId], add: [] });
    const copy = new Leaving(came, own, this.ofPolicy);
    const { target, rewritten, host, bodyBytes, serverName, priority, client } = this;
    Object.assign(copy, { target, rewritten, host, bodyBytes, serverName, priority, client });
    copy.change(this.#policy);
    return copy;
  }

  head(): OutgoingRequest {
    return leavingHead(this.came, this);
  }

  /** What is left of the deadline for whoever gets it so long after it came, as pairs; null when it goes on as it came. */
  deadline(elapsedMs: number, grpc: boolean): string[] | null {
    return this.timeoutMs === null
      ? null
      : deadlineFields(this.came.fields, this.timeoutMs - elapsedMs, grpc);
  }

  /** `more`: pairs of this attempt alone. */
  fields(more: readonly string[] | null): FieldEdits {
    return leavingFields(this.came.fields, this.#own, this.#policy, more);
  }
}

/** What was written goes on instead of what came. `serverName` stands in for an authority that nobody gave. */
function leavingHead(
  request: RequestHead,
  { target, host, bodyBytes, serverName }: Pick<Leaving, "target" | "host" | "bodyBytes" | "serverName">,
): OutgoingRequest {
  if (target === null && host === null && bodyBytes === null && request.authority !== "") return request;
  const { method, fields, nominated, upgrade, expectContinue } = request;
  const contentLength = bodyBytes ?? request.contentLength;
  const authority = host ?? (request.authority || serverName);
  const leaving = (target ?? request).target;
  return { method, target: leaving, authority, fields, nominated, contentLength, upgrade, expectContinue };
}

/** `own`: what heddle adds to every attempt; `more`: pairs of this attempt alone. Fields of heddle's own names that came stay behind. */
function leavingFields(
  came: Fields,
  own: FieldEdits,
  policy: FieldEdits,
  more: readonly string[] | null,
): FieldEdits {
  const foreign = heddleFields(came);
  if (foreign === null && more === null) return withEdits(own, policy);
  const all = {
    remove: [...own.remove, ...(foreign ?? [])],
    set: [...own.set, ...(more ?? [])],
    add: own.add,
  };
  return withEdits(all, policy);
}

/**
 * The pairs that one attempt alone carries; null for none, which is nearly always.
 * `made`: attempts before it. `deadline`: what is left of it, as pairs. `http2`: the other proxy must learn that the caller
 * spoke HTTP/2. `flow`: the name of the caller's client, where the other proxy must tell clients apart. `told`: what else it hears of it.
 */
export function attemptFields(
  made: number,
  deadline: readonly string[] | null,
  http2: boolean,
  flow: string | null,
  told: Pick<Leaving, "priority" | "ofPolicy" | "client"> = notTold,
): string[] | null {
  const { priority, ofPolicy, client } = told;
  const isUsual = priority === usualLevel && !ofPolicy && client === "";
  if (made === 0 && deadline === null && !http2 && flow === null && isUsual) return null;
  const fields: string[] = [];
  if (client !== "") fields.push(clientField, client);
  if (made > 0) fields.push(attemptField, String(made));
  if (deadline !== null) fields.push(...deadline);
  if (http2) fields.push(spokeField, "h2");
  if (flow !== null) fields.push(flowField, flow);
  if (priority !== usualLevel) fields.push(priorityField, priorities[priority] as string);
  if (ofPolicy) fields.push(policyField, "1");
  return fields;
}

/**
 * A target as that service reads it: routes, policies, rules and the app all see the same path. The same object where it stays as it
 * is; null when the service takes none like it.
 */
function targetFor<Target extends NormalTarget>(
  { declared }: LiveDestination,
  target: Target,
): Target | NormalTarget | null {
  if (readsAsItIs(declared)) return target;
  const read = readTarget(declared, target.target);
  if (read === null) return null;
  return read.target === target.target ? target : read;
}
