/** A policy asked again about recorded traffic: which decisions it would change, and what it costs. */
import type { Runtime } from "../../runtime/contract.ts";
import { UserError } from "../base/user_error.ts";
import type { RecordedAnswer, RecordedRequest } from "../model/recording.ts";
import type { ServiceName } from "../model/service.ts";
import type { StoredPolicy } from "../controller/catalog.ts";
import type { Said } from "../policy/heard.ts";
import { checkDecision } from "../policy/decision.ts";
import { hooks, requestHook, type Hook } from "../policy/hooks.ts";
import type { PolicyAnswer, PolicyCall } from "../policy/policy_call.ts";
import { saidText } from "../policy/said_text.ts";
import { ReplayProcess } from "../policy/replay_process.ts";
import { noEdits } from "../wire/fields.ts";
import type { Recording } from "./recording_file.ts";
import { withoutSecrets } from "./redaction.ts";

export interface Replayed {
  readonly requests: number;
  /** Those of which at least one decision is another. */
  readonly changed: number;
  /** What changes into what, the most frequent first. */
  readonly changes: readonly Change[];
  /** Calls of all hooks. */
  readonly calls: number;
  readonly tookMs: number;
  /** Of the policy's process, microseconds for each call. */
  readonly cpuUsPerCall: number;
  /** Of single calls, microseconds. */
  readonly p50Us: number;
  readonly p99Us: number;
  /** Whether the recording has decisions of this policy; without, each request is held against one that goes on as it is. */
  readonly compared: boolean;
}

export interface Change {
  readonly hook: string;
  readonly from: string;
  readonly to: string;
  count: number;
  /** `GET /v1/x (request id)`. */
  readonly examples: string[];
}

/** One call of the policy. */
interface Step {
  readonly call: PolicyCall;
  readonly atMs: number;
  readonly options: string;
  /** Machine and options: each proxy counts for itself. */
  readonly place: string;
  readonly said: unknown;
}

const examplesMax = 3;
const untouched: Said = { do: "next", edits: noEdits, target: null };
const untouchedText = JSON.stringify(untouched);

/** `options`: instead of those that were recorded. Throws a UserError where the policy cannot be asked. */
export async function replay(
  runtime: Pick<Runtime, "process" | "clock" | "random">,
  policy: StoredPolicy,
  recording: Recording,
  options: Readonly<Record<string, unknown>> | null,
): Promise<Replayed> {
  const { steps, compared } = stepsOf(policy, recording, options);
  const process = new ReplayProcess(runtime, { bundle: policy.text, cpuMs: policy.cpuMs });
  const differences = new Differences();
  const times: number[] = [];
  const beganMs = runtime.clock.now();
  try {
    await process.start().catch((error: Error) => {
      throw new UserError(`Cannot run the policy "${policy.name}": ${error.message}`);
    });
    const numbers = await bind(process, policy, steps);
    for (const step of steps) {
      const wait = process.ask(numbers.get(step.place) ?? 0, step.call, step.atMs, (answer) => {
        times.push(answer.us);
        differences.take(step, answer);
      });
      if (wait !== null) await wait;
    }
    await process.finish();
  } finally {
    process.close();
  }
  times.sort((one, other) => one - other);
  return {
    requests: new Set(steps.map(({ call }) => call.exchange)).size,
    changed: differences.requests.size,
    changes: [...differences.changes.values()].sort((one, other) => other.count - one.count),
    calls: steps.length,
    tookMs: runtime.clock.now() - beganMs,
    cpuUsPerCall: process.cpuUs / Math.max(1, steps.length),
    p50Us: times[Math.floor(times.length * 0.5)] ?? 0,
    p99Us: times[Math.floor(times.length * 0.99)] ?? 0,
    compared,
  };
}

/** Each set of options of each machine under a number. */
async function bind(
  process: ReplayProcess,
  policy: StoredPolicy,
  steps: readonly Step[],
): Promise<ReadonlyMap<string, number>> {
  const numbers = new Map<string, number>();
  for (const { options, place } of steps) {
    if (numbers.has(place)) continue;
    numbers.set(place, numbers.size + 1);
    const problem = await process.bind(numbers.size, JSON.parse(options) as Record<string, unknown>);
    if (problem !== null)
      throw new UserError(
        `Cannot run the policy "${policy.name}" with ${options}: ${problem}`,
        "--with gives others, as JSON",
        1,
      );
  }
  return numbers;
}

function stepsOf(
  { name, hooks: has = [] }: StoredPolicy,
  { requests, answers, bindings }: Recording,
  options: Readonly<Record<string, unknown>> | null,
): { readonly steps: readonly Step[]; readonly compared: boolean } {
  const given = options === null ? null : JSON.stringify(options);
  const own = answers.filter(({ binding }) => bindings.get(binding)?.policy === name);
  const known = own.flatMap((answer): Step[] => {
    const request = requests.get(answer.key);
    const hook = hooks.find((each) => each === answer.hook);
    if (request === undefined || hook === undefined || !has.includes(hook)) return [];
    const recorded = JSON.stringify(bindings.get(answer.binding)?.options ?? {});
    const call = callOf(request, hook, answer);
    return [stepOf(call, answer.atMs, given ?? recorded, answer.said)];
  });
  if (known.length > 0) return { steps: known, compared: true };
  if (!has.includes(requestHook))
    throw new UserError(
      `Cannot replay the policy "${name}": nothing that it was asked is in the recording, and it has no ${requestHook}`,
      "Record while documents use it",
      1,
    );
  const steps = [...requests.values()].map((request) => {
    const call = callOf(request, requestHook, null);
    return stepOf(call, request.atMs, given ?? "{}", untouched);
  });
  return { steps, compared: false };
}

/** The key of an exchange begins with its machine. */
function stepOf(call: PolicyCall, atMs: number, options: string, said: unknown): Step {
  const [machine = ""] = (call.exchange ?? "").split(" ", 1);
  return { call, atMs, options, place: `${machine} ${options}`, said };
}

function callOf(request: RecordedRequest, hook: Hook, answer: RecordedAnswer | null): PolicyCall {
  const { method, authority, target, sourceId, requestId, key, deadlineMs, address } = request;
  const flat = answer?.fields ?? request.fields;
  const [name = "", namespace = "default"] = request.service.split(".");
  const service: ServiceName = { name, namespace };
  return {
    ...{ hook, method, authority, target, sourceId, requestId, service, exchange: key },
    fields: {
      count: flat.length / 2,
      nameAt: (at) => flat[2 * at] ?? "",
      valueAt: (at) => flat[2 * at + 1] ?? "",
    },
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
    ...(address === undefined ? {} : { address }),
    ...(answer?.about === undefined ? {} : { about: answer.about }),
  };
}

class Differences {
  readonly requests = new Set<string>();
  readonly changes = new Map<string, Change>();

  take(step: Step, answer: PolicyAnswer): void {
    const said = saidOf(answer, step.call.hook);
    const [before, now] = [comparable(step.said), comparable(said)];
    if (before === now) return;
    const { hook, method, target, requestId, exchange = "" } = step.call;
    this.requests.add(exchange);
    const from = saidText(step.said as Said);
    const same = from === saidText(said);
    const to = same ? `${from}, otherwise` : saidText(said);
    const known = `${hook} ${from} ${to}`;
    const change = this.changes.get(known) ?? { hook, from, to, count: 0, examples: [] };
    this.changes.set(known, change);
    change.count++;
    if (change.examples.length < examplesMax) change.examples.push(`${method} ${target} (${requestId})`);
  }
}

function saidOf(answer: PolicyAnswer, hook: Hook): Said {
  if (!answer.ok) return { do: "failed", failure: "unanswered", reason: answer.reason };
  const decision = checkDecision(answer.decision, hook);
  if (decision.do === "wait") return { do: "failed", failure: "unanswered", reason: asksNobody };
  if (decision.do !== "fail" && decision.do !== "invalid") return decision;
  return { do: "failed", failure: decision.do === "fail" ? "throw" : "invalid", reason: decision.reason };
}

const asksNobody = "it waits for a service, and a replay asks none";

/** Why it failed, in which words, makes no difference. */
function comparable(said: unknown): string {
  if (said === untouched) return untouchedText;
  const { do: action, failure } = said as { readonly do?: unknown; readonly failure?: unknown };
  return action === "failed" ? `failed ${String(failure)}` : JSON.stringify(withoutSecrets(said as Said));
}
