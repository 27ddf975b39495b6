/**
 * The inner side of a policy: bundled together with it and run in its realm. Only strings and numbers cross to the worker
 * outside. It trusts nobody and nobody trusts it: the policy can reach all of this, so answers are checked again outside.
 */
import { safeParse, getDotPath } from "valibot";
import type { BaseIssue, GenericSchema } from "valibot";
import { HeaderList } from "./header_list.ts";
import { hooks, type Hook } from "./hooks.ts";
import { QueryList } from "./query_list.ts";
import type { Policy, PolicyContext, PolicyRequest } from "./sdk.ts";

/** binding, request id, method, host, target, source, service, fields (name, value, …), number of the hook (a proxy that knows one gives none) */
type Call = readonly [number, string, string, string, string, string, string, readonly string[], number?];

/** What the worker finds as `heddle` in the realm. Strings in, strings out. */
export interface Realm {
  /** Name, version and the rest, as JSON, to compare with what was read from the source. */
  describe(): string;
  /** Checks options and keeps them under this number. Answer, JSON: `{ "issues": [{ path, message }] }`. */
  bind(binding: number, options: string): string;
  unbind(binding: number): void;
  /** Takes a batch, JSON: `[now, [call, …]]`. Returns how many calls it has. */
  take(batch: string): number;
  /** Runs one call of the batch. Answer: a decision as JSON, or "" when it is not settled yet. */
  run(index: number): string;
  /** The answer of a call that was not settled when it ran; "" when it still is not. */
  settled(index: number): string;
  /** Called by the bundle at its end: where what is in it was written (`places.ts`). */
  places(files: readonly string[], numbers: readonly number[]): void;
}

const failed = (reason: string): string => JSON.stringify({ do: "fail", reason });

/** Finds the place in the author's files at which an error was thrown. */
class Places {
  #files: readonly string[] = [];
  #numbers: readonly number[] = [];

  set(files: readonly string[], numbers: readonly number[]): void {
    this.#files = files;
    this.#numbers = numbers;
  }

  /** The error in words, behind the place where it was thrown if that is known: `limits.ts:12:5: TypeError: …`. */
  reasonOf(error: unknown): string {
    try {
      if (!(error instanceof Error)) return String(error);
      return `${this.#placeOf(String(error.stack))}${error.name}: ${error.message}`;
    } catch {
      return "it threw something that cannot be told";
    }
  }

  /** Of the frames of a stack, the innermost one that the author wrote. */
  #placeOf(stack: string): string {
    for (const [, line, column] of stack.slice(0, stackLengthMax).matchAll(/\bpolicy:(\d+):(\d+)/g)) {
      const place = this.#writtenAt(Number(line), Number(column));
      if (place !== null) return `${place}: `;
    }
    return "";
  }

  #writtenAt(line: number, column: number): string | null {
    const numbers = this.#numbers;
    let found = -1;
    for (let at = 0; at < numbers.length; at += 5) {
      const row = numbers[at] as number;
      if (row > line || (row === line && (numbers[at + 1] as number) > column)) break;
      found = at;
    }
    const file = this.#files[numbers[found + 2] ?? -1];
    return file === undefined ? null : `${file}:${numbers[found + 3]}:${numbers[found + 4]}`;
  }
}

const stackLengthMax = 8_192;

/** FNV-1a with a finishing mix. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}

/** Time and randomness of the call that runs, also behind `Date.now` and `Math.random`. */
class Moment {
  nowMs = 0;
  #seed = 0;

  begin(requestId: string): void {
    this.#seed = hash(requestId);
  }

  /** mulberry32 */
  random(): number {
    this.#seed = (this.#seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#seed ^ (this.#seed >>> 15), 1 | this.#seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  }
}

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

function shownIssue(issue: BaseIssue<unknown>): { readonly path: string; readonly message: string } {
  return { path: getDotPath(issue) ?? "", message: issue.message };
}

export function createRealm<Schema extends GenericSchema>(policy: Policy<Schema>): Realm {
  const moment = new Moment();
  replaceClockAndChance(moment);
  const places = new Places();
  const bindings = new Map<number, PolicyContext<never>["options"]>();
  let calls: readonly Call[] = [];
  const late = new Map<number, string>();

  const finish = (index: number, decision: unknown): string => {
    const answer = JSON.stringify(decision) as string | undefined;
    return answer ?? failed(`call ${index} returned nothing`);
  };

  const ask: Readonly<Record<Hook, (call: Call) => unknown>> = {
    onRequest: (call) => policy.onRequest?.(requestOf(call), contextOf(call)),
  };

  return {
    describe() {
      const { api, name, version, onError, limits } = policy;
      return JSON.stringify({ api, name, version, onError, limits });
    },
    bind(binding, options) {
      try {
        const result = safeParse(policy.options, JSON.parse(options));
        if (result.success) bindings.set(binding, result.output as never);
        return JSON.stringify({ issues: (result.issues ?? []).map(shownIssue) });
      } catch (error) {
        return JSON.stringify({ issues: [{ path: "", message: places.reasonOf(error) }] });
      }
    },
    unbind: (binding) => void bindings.delete(binding),
    take(batch) {
      const [now, taken] = JSON.parse(batch) as [number, readonly Call[]];
      moment.nowMs = now;
      calls = taken;
      late.clear();
      return calls.length;
    },
    run(index) {
      try {
        const call = calls[index];
        const hook = call === undefined ? undefined : hooks[call[8] ?? 0];
        if (call === undefined || hook === undefined || policy[hook] === undefined) return '{"do":"next"}';
        moment.begin(call[1]);
        const decision = ask[hook](call);
        if (!(decision instanceof Promise)) return finish(index, decision);
        decision.then(
          (value) => late.set(index, finish(index, value)),
          (error) => late.set(index, failed(places.reasonOf(error))),
        );
        return "";
      } catch (error) {
        return failed(places.reasonOf(error));
      }
    },
    settled: (index) => late.get(index) ?? "",
    places: (files, numbers) => places.set(files, numbers),
  };

  function contextOf(call: Call): PolicyContext<never> {
    if (!bindings.has(call[0])) throw new Error(`There are no options for binding ${call[0]}`);
    return {
      options: bindings.get(call[0]) as never,
      service: call[6],
      source: call[5] === "" ? null : call[5],
      requestId: call[1],
      now: () => moment.nowMs,
      random: () => moment.random(),
      hash,
    };
  }
}

function requestOf(call: Call): PolicyRequest {
  const target = call[4];
  const mark = target.indexOf("?");
  return {
    method: call[2],
    host: call[3],
    path: mark < 0 ? target : target.slice(0, mark),
    query: new QueryList(mark < 0 ? "" : target.slice(mark + 1)),
    headers: new HeaderList(call[7]),
  };
}
