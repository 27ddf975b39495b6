/**
 * The inner side of a policy: bundled together with it and run in its realm. Only strings and numbers cross to the worker
 * outside. It trusts nobody and nobody trusts it: the policy can reach all of this, so answers are checked again outside.
 */
import { safeParse, getDotPath } from "valibot";
import type { BaseIssue, GenericSchema } from "valibot";
import { BoundOptions, CallContext, type Asked, type RealmBounds } from "./call_context.ts";
import { fromBase64 } from "./base64.ts";
import { HeaderList } from "./header_list.ts";
import { hooks, type Hook } from "./hooks.ts";
import { QueryList } from "./query_list.ts";
import type { PolicyBody } from "./sdk_bodies.ts";
import { bodySeen, withJsonAsText, type WrittenBody } from "./seen_body.ts";
import { Places } from "./realm_places.ts";
import { forgotten, Waiting, Waits } from "./waits.ts";
import type { Given } from "./want.ts";
import type {
  Policy,
  PolicyChunk,
  PolicyEndpoint,
  PolicyEvent,
  PolicyRequest,
  PolicyResponse,
  PolicySummary,
} from "./sdk.ts";

/**
 * binding, request id, method, host, target, source, service, fields (name, value, …), number of the hook, milliseconds that the
 * caller still waits (null: nobody said), address of whoever connected (null: not known), what the hook is about beside, which exchange it is of,
 * the ticket of a call that waited for what it is about.
 * A proxy that knows one hook gives nothing behind the fields.
 */
type Call = readonly [
  number,
  string,
  string,
  string,
  string,
  string,
  string,
  readonly string[],
  number?,
  (number | null)?,
  (string | null)?,
  unknown?,
  string?,
  number?,
];

/** What the worker finds as `heddle` in the realm. Strings in, strings out. */
export interface Realm {
  /** Name, version and the rest, as JSON, to compare with what was read from the source. */
  describe(): string;
  /** Checks options and keeps them under this number. Answer, JSON: `{ "issues": [{ path, message }] }`. */
  bind(binding: number, options: string): string;
  unbind(binding: number): void;
  /** Takes a batch, JSON: `[now, [call, …]]`, or `[now, [call, …], [its now, …]]`. Returns how many calls it has. */
  take(batch: string): number;
  /** Runs one call of the batch. Answer: a decision as JSON, or "" when it is not settled yet. */
  run(index: number): string;
  /** The answer of a call that was not settled when it ran; "" when it still is not. */
  settled(index: number): string;
  /** Called by the bundle at its end: where what is in it was written (`places.ts`). */
  places(files: readonly string[], numbers: readonly number[]): void;
}

const failed = (reason: string): string => JSON.stringify({ do: "fail", reason });

/** A clock and a die that replays can set. `Date` without arguments and `Date.now` tell the time of the batch. */
function replaceClockAndChance(moment: Moment): void {
  const HostDate = Date;
  class RealmDate extends HostDate {
    constructor(...args: unknown[]) {
      if (args.length === 0) super(moment.nowMs);
      else super(...(args as [number]));
    }
    static override now(): number {
      return moment.nowMs;
    }
  }
  Object.defineProperty(HostDate, "now", { value: () => moment.nowMs });
  Object.defineProperty(HostDate.prototype, "constructor", { value: RealmDate });
  Object.defineProperty(globalThis, "Date", { value: RealmDate });
  Object.defineProperty(Math, "random", { value: () => moment.random() });
}

/** Time and chance of the call that runs, also behind `Date.now` and `Math.random`. */
interface Moment {
  nowMs: number;
  /** Of each call of the batch; empty: they are of one moment. */
  each: readonly number[];
  random: () => number;
}

function shownIssue(issue: BaseIssue<unknown>): { readonly path: string; readonly message: string } {
  return { path: getDotPath(issue) ?? "", message: issue.message };
}

function describe<Schema extends GenericSchema>(policy: Policy<Schema, unknown>): string {
  const { api, name, version, onError, limits } = policy;
  return JSON.stringify({ api, name, version, onError, limits });
}

/** Options by their numbers, checked by the schema of the policy. */
function bindingsOf<Schema extends GenericSchema>(
  policy: Policy<Schema, unknown>,
  bounds: RealmBounds,
  now: () => number,
  places: Places,
): Pick<Realm, "bind" | "unbind"> & { boundOf(binding: number): BoundOptions<never, unknown> } {
  const bindings = new Map<number, BoundOptions<never, unknown>>();
  return {
    boundOf(binding) {
      const bound = bindings.get(binding);
      if (bound === undefined) throw new Error(`There are no options for binding ${binding}`);
      return bound;
    },
    bind(binding, options) {
      try {
        const result = safeParse(policy.options, JSON.parse(options));
        if (!result.success) return JSON.stringify({ issues: result.issues.map(shownIssue) });
        const checked = result.output as never;
        const issues = policy.onConfig?.(checked) ?? [];
        if (issues.length === 0)
          bindings.set(binding, new BoundOptions<never, unknown>(checked, policy.state, now, bounds));
        return JSON.stringify({ issues });
      } catch (error) {
        return JSON.stringify({ issues: [{ path: "", message: places.reasonOf(error) }] });
      }
    },
    unbind: (binding) => void bindings.delete(binding),
  };
}

export function createRealm<Schema extends GenericSchema>(
  policy: Policy<Schema, unknown>,
  bounds: RealmBounds,
): Realm {
  const moment: Moment = { nowMs: 0, each: [], random: () => 0 };
  replaceClockAndChance(moment);
  const now = (): number => moment.nowMs;
  const places = new Places();
  const { boundOf, bind, unbind } = bindingsOf(policy, bounds, now, places);
  let calls: readonly Call[] = [];
  const late = new Map<number, Waiting>();
  const waits = new Waits(bounds.waitsMax);

  /** What a call waited for came. */
  const resume = (index: number, ticket: number, given: readonly Given[], exchange: string): string => {
    const waiting = waits.take(ticket, exchange);
    if (waiting === null) return failed(forgotten);
    moment.random = () => waiting.context.random();
    late.set(index, waiting);
    waiting.settle(given);
    return "";
  };
  const ask = questionsOf(policy);

  return {
    describe: () => describe(policy),
    bind,
    unbind,
    take(batch) {
      const [now, taken, each = []] = JSON.parse(batch) as [number, readonly Call[], number[]?];
      moment.nowMs = now;
      calls = taken;
      moment.each = each;
      late.clear();
      return calls.length;
    },
    run(index) {
      try {
        const call = calls[index];
        moment.nowMs = moment.each[index] ?? moment.nowMs;
        const ticket = call?.[13];
        if (call !== undefined && ticket !== undefined)
          return resume(index, ticket, call[11] as readonly Given[], call[12] ?? "");
        const hook = call === undefined ? undefined : hooks[call[8] ?? 0];
        if (call === undefined || hook === undefined || policy[hook] === undefined) return '{"do":"next"}';
        const bound = boundOf(call[0]);
        const context = new CallContext(bound, askedIn(call, hook), now, bounds.notesMax);
        moment.random = () => context.random();
        const decision = ask[hook](call, context);
        if (!(decision instanceof Promise)) return answerOf(decision, context);
        const waiting = new Waiting(context, call[12] ?? "");
        decision
          .then((value) => (waiting.answer = answerOf(value, context)))
          .catch((error) => (waiting.answer = failed(places.reasonOf(error))));
        late.set(index, waiting);
        return "";
      } catch (error) {
        return failed(places.reasonOf(error));
      }
    },
    settled(index) {
      const waiting = late.get(index);
      if (waiting === undefined) return "";
      return waiting.answer === "" ? waits.keep(waiting) : waiting.answer;
    },
    places: (files, numbers) => places.set(files, numbers),
  };
}

type Context = CallContext<never, unknown>;

/** How each hook is asked, and its answer as a decision. */
function questionsOf<Schema extends GenericSchema>(
  policy: Policy<Schema, unknown>,
): Readonly<Record<Hook, (call: Call, context: Context) => unknown>> {
  return {
    onRequest: (call, context) => {
      const body = bodySeen(call[11] as WrittenBody | undefined, policy.uses?.requestJson === true);
      return policy.onRequest?.(requestOf(call, body), context);
    },
    onConnection: (call, context) =>
      verdictOn(policy.onConnection?.({ protocol: call[2] === "tls" ? "tls" : "tcp" }, context)),
    pick: (call, context) => preferred(policy.pick?.(call[11] as PolicyEndpoint[], requestOf(call), context)),
    onResponse: (call, context) => policy.onResponse?.(responseOf(call, policy), context),
    onEvent: (call, context) =>
      seenEvents(call[11] as PolicyEvent[], (event) => policy.onEvent?.(event, context)),
    onChunk: (call, context) => {
      const { data, ...about } = call[11] as Omit<PolicyChunk, "bytes"> & { readonly data: string };
      return andGoOn(policy.onChunk?.({ ...about, bytes: fromBase64(data) ?? new Uint8Array(0) }, context));
    },
    onEnd: (call, context) => andGoOn(policy.onEnd?.(call[11] as PolicySummary, context)),
  };
}

function askedIn(call: Call, hook: Hook): Asked {
  const [, requestId, , , , source, service] = call;
  return {
    requestId,
    exchange: call[12] ?? requestId,
    service,
    source: source === "" ? null : source,
    deadlineMs: call[9] ?? Infinity,
    address: call[10] ?? null,
    seed: hook === "onRequest" ? requestId : `${requestId} ${hook}`,
  };
}

/** With what it noted beside: `notes.ts` reads it. */
function answerOf(decided: unknown, { notes }: Context): string {
  const decision = withJsonAsText(decided);
  const noted = notes !== null && typeof decision === "object" && decision !== null;
  const answer = JSON.stringify(noted ? { ...decision, notes } : decision) as string | undefined;
  return answer ?? failed("it returned nothing");
}

function responseOf(call: Call, { uses }: Pick<Policy<GenericSchema, unknown>, "uses">): PolicyResponse {
  const { body, ...about } = call[11] as Omit<PolicyResponse, "headers"> & { readonly body?: WrittenBody };
  return { ...about, headers: new HeaderList(call[7]), ...bodySeen(body, uses?.responseJson === true) };
}

/** Whether a connection is allowed, as a decision; what is neither stays what it is. */
function verdictOn(said: unknown): unknown {
  if (said instanceof Promise) return said.then(verdictOn);
  const { allow, reason } = (said ?? {}) as { readonly allow?: unknown; readonly reason?: unknown };
  return allow === true ? { do: "next" } : allow === false ? { do: "deny", reason } : said;
}

/** Ids as a decision. */
function preferred(ids: unknown): unknown {
  if (ids instanceof Promise) return ids.then(preferred);
  return ids === null || ids === undefined ? { do: "next" } : { do: "prefer", ids };
}

/** What becomes of each; the usual decision where that is nothing. */
function seenEvents(events: readonly PolicyEvent[], see: (event: PolicyEvent) => unknown): unknown {
  let changed = false;
  const left = events.map((event) => {
    const now = see(event);
    changed ||= now !== undefined;
    return now === undefined ? 0 : now;
  });
  return changed ? { do: "events", events: left } : { do: "next" };
}

/** It decides nothing, but may take its time. */
function andGoOn(done: unknown): unknown {
  return done instanceof Promise ? done.then(() => andGoOn(null)) : { do: "next" };
}

/** Where a body is no matter. */
const unasked: PolicyBody = { unread: null };

function requestOf(call: Call, body: PolicyBody = unasked): PolicyRequest {
  const target = call[4];
  const mark = target.indexOf("?");
  return {
    method: call[2],
    host: call[3],
    path: mark < 0 ? target : target.slice(0, mark),
    query: new QueryList(mark < 0 ? "" : target.slice(mark + 1)),
    headers: new HeaderList(call[7]),
    ...body,
  };
}
