/**
 * A policy as it is asked in its realm, without one, for tests: by a clock that they set, with what it noted kept. Authors import
 * it as `heddle/policy/test`:
 *
 * ```ts
 * import { expect, test } from "bun:test";
 * import { PolicyUnderTest } from "heddle/policy/test";
 * import policy from "./night_shift.ts";
 *
 * test("answers by itself at night", async () => {
 *   const h = new PolicyUnderTest(policy, { service: "orders" });
 *   h.advance(60_000);
 *   expect(await h.request({ method: "DELETE", headers: ["x-night", "1"] })).toMatchObject({ status: 403 });
 * });
 * ```
 * @visibleForTesting
 */
import { safeParse, type GenericSchema } from "valibot";
import { BoundOptions, CallContext, type WrittenNote } from "./call_context.ts";
import { HeaderList } from "./header_list.ts";
import { QueryList } from "./query_list.ts";
import type { PolicyBody, UnreadBody } from "./sdk_bodies.ts";
import { bodySeen } from "./seen_body.ts";
import type { Given } from "./want.ts";
import type {
  ConnectionDecision,
  Decision,
  Policy,
  PolicyChunk,
  PolicyConnection,
  PolicyEndpoint,
  PolicyEvent,
  PolicyRequest,
  PolicySummary,
  ResponseDecision,
} from "./sdk.ts";

interface RequestPlan {
  readonly method?: string;
  readonly host?: string;
  /** With the query. */
  readonly path?: string;
  readonly headers?: readonly string[];
  /** Its body, where the policy asks for it. */
  readonly json?: unknown;
  /** Why its body is not shown. */
  readonly unread?: UnreadBody;
}

interface AskPlan {
  readonly requestId?: string;
  readonly service?: string;
  readonly source?: string | null;
  readonly deadlineMs?: number;
  readonly address?: string | null;
}

interface AnswerPlan {
  readonly status?: number;
  readonly headers?: readonly string[];
  readonly endpoint?: string;
  readonly ms?: number;
  readonly instanceMs?: number;
  /** Its body, where the policy asks for it. */
  readonly json?: unknown;
  /** Why its body is not shown. */
  readonly unread?: UnreadBody;
}

const bounds = { counterKeysMax: 100, scratchesMax: 100, notesMax: 16, waitsMax: 16 };

function bodyOf({ json, unread }: Pick<RequestPlan, "json" | "unread">, asked: boolean): PolicyBody {
  const text = json === undefined ? "" : JSON.stringify(json);
  return bodySeen(unread === undefined ? { text } : { unread }, asked);
}

function requestOf(plan: RequestPlan = {}, asked = false): PolicyRequest {
  const { method, host, path = "/", headers } = plan;
  const mark = path.indexOf("?");
  return {
    method: method ?? "GET",
    host: host ?? "orders.mesh",
    path: mark < 0 ? path : path.slice(0, mark),
    query: new QueryList(mark < 0 ? "" : path.slice(mark + 1)),
    headers: new HeaderList(headers ?? []),
    ...bodyOf(plan, asked),
  };
}

/** @visibleForTesting */
export class PolicyUnderTest<Schema extends GenericSchema, State> {
  nowMs = 1_000_000;
  /** What comes of what it waits for: given what was asked, as the policy wrote it. */
  gives: (asked: Readonly<Record<string, unknown>>) => Given = () => ({ problem: "nobody answers" });
  readonly notes: WrittenNote[] = [];
  readonly #bound: BoundOptions<never, State>;
  #last: CallContext<never, State> | null = null;

  constructor(
    readonly policy: Readonly<Policy<Schema, State>>,
    written: unknown,
  ) {
    const options = safeParse(policy.options, written);
    if (!options.success) throw new Error(`The settings do not fit: ${options.issues[0].message}`);
    this.#bound = new BoundOptions<never, State>(
      options.output as never,
      policy.state as never,
      () => this.nowMs,
      bounds,
    );
  }

  /** Lets the virtual clock go on: counters and `context.now` follow it. */
  advance(ms: number): void {
    this.nowMs += ms;
  }

  /** A context for one hook of one exchange. */
  context(plan: AskPlan = {}, hook = "onRequest"): CallContext<never, State> {
    this.#keepNotes();
    const { requestId = "r-1", service = "orders.default", source = null, deadlineMs = Infinity } = plan;
    const { address = null } = plan;
    const seed = hook === "onRequest" ? requestId : `${requestId} ${hook}`;
    const asked = { requestId, exchange: requestId, service, source, deadlineMs, address, seed };
    this.#last = new CallContext(this.#bound, asked, () => this.nowMs, bounds.notesMax);
    return this.#last;
  }

  /** What it decides about a request. */
  async request(request: RequestPlan = {}, plan: AskPlan = {}): Promise<Decision> {
    const seen = requestOf(request, this.policy.uses?.requestJson === true);
    const decision = await this.#decided(this.policy.onRequest?.(seen, this.context(plan)));
    this.#keepNotes();
    if (decision === undefined) throw new Error("The policy has no onRequest");
    return decision;
  }

  /** Whether it lets a connection in. */
  async connection(
    { protocol = "tcp" }: Partial<PolicyConnection> = {},
    plan: AskPlan = {},
  ): Promise<ConnectionDecision> {
    const decision = await this.policy.onConnection?.({ protocol }, this.context(plan, "onConnection"));
    this.#keepNotes();
    if (decision === undefined) throw new Error("The policy has no onConnection");
    return decision;
  }

  /** What it decides about an answer. */
  async response(answer: AnswerPlan = {}, plan: AskPlan = {}): Promise<ResponseDecision> {
    const { status = 200, headers = [], endpoint = "vm-1/orders.default/8080", ms = 1 } = answer;
    const { instanceMs = ms } = answer;
    const head = { status, headers: new HeaderList(headers), grpcStatus: null, endpoint, ms, instanceMs };
    const response = { ...head, ...bodyOf(answer, this.policy.uses?.responseJson === true) };
    const decision = await this.policy.onResponse?.(response, this.context(plan, "onResponse"));
    this.#keepNotes();
    if (decision === undefined) throw new Error("The policy has no onResponse");
    return decision;
  }

  /** Which of these endpoints it prefers. */
  async pick(
    endpoints: readonly PolicyEndpoint[],
    request: RequestPlan = {},
    plan: AskPlan = {},
  ): Promise<readonly string[] | null> {
    const picked = await this.policy.pick?.(endpoints, requestOf(request), this.context(plan, "pick"));
    this.#keepNotes();
    return picked ?? null;
  }

  /** What is left of events of an answer: those that it drops are missing, those that it changes are changed. */
  events(events: readonly PolicyEvent[], plan: AskPlan = {}): readonly PolicyEvent[] {
    return events.flatMap((event) => {
      const left = this.policy.onEvent?.(event, this.context(plan, "onEvent"));
      this.#keepNotes();
      return left === undefined ? [event] : left === null ? [] : [left];
    });
  }

  /** Shows it bytes on their way. */
  async chunk(
    { of = "response", bytes, missed = 0 }: Partial<PolicyChunk>,
    plan: AskPlan = {},
  ): Promise<void> {
    const chunk = { of, bytes: bytes ?? new Uint8Array(0), missed };
    await this.policy.onChunk?.(chunk, this.context(plan, "onChunk"));
    this.#keepNotes();
  }

  async end(summary: Partial<PolicySummary> = {}, plan: AskPlan = {}): Promise<void> {
    const usual = {
      status: 200,
      flag: "",
      bytesIn: 0,
      bytesOut: 0,
      ms: 1,
      ttfbMs: 1,
      endpoint: "",
      retries: 0,
    };
    await this.policy.onEnd?.({ ...usual, ...summary }, this.context(plan, "onEnd"));
    this.#keepNotes();
  }

  /** Once all that it waits for was given. */
  async #decided<Decided>(decision: Decided | Promise<Decided>): Promise<Decided> {
    const context = this.#last;
    const over = { yes: false };
    const end = (): void => void (over.yes = true);
    void Promise.resolve(decision).then(end, end);
    while (!over.yes) {
      for (const want of context?.wants?.splice(0) ?? []) want.settle(this.gives(want.asked));
      await Promise.resolve();
    }
    return await decision;
  }

  #keepNotes(): void {
    this.notes.push(...(this.#last?.notes ?? []));
    this.#last = null;
  }
}

/** @visibleForTesting Paths of what is wrong with settings; [] when nothing. */
export function wrongIn(policy: { readonly options: GenericSchema }, written: unknown): string[] {
  const result = safeParse(policy.options, written);
  return (result.issues ?? []).map((issue) => issue.path?.map((part) => String(part.key)).join(".") ?? "");
}
