/**
 * The thread of one policy version inside the sealed policy host: makes a realm with nothing but the language, runs the
 * bundle in it and hands calls over. Only strings and numbers cross; nothing that the realm throws or returns is touched
 * beyond asking for its type. What this file imports is all there is beside untrusted code: keep it so.
 *
 * In: `L` with Load as JSON, `B<binding> <options>`, `U<binding> `, `C<batch> <calls>`, `P`. Out: `l<description>`,
 * `b<binding> <answer>`, then `a<batch> [first call, 0, [microseconds, …], [answer, …]]` for parts of a batch, `z…` for its last,
 * where the second entry is the CPU time that this thread took since it last told, `p`; `f<reason>` when the bundle cannot be
 * loaded. Answers stand last: they are text of the realm, and could close what they stand in.
 */
import { createContext, runInContext } from "node:vm";

declare const self: {
  addEventListener(type: "message", listener: (event: { readonly data: unknown }) => void): void;
  postMessage(message: string): void;
};
declare const process: {
  on(event: "unhandledRejection" | "uncaughtException", listener: () => void): void;
  threadCpuUsage(): { readonly user: number; readonly system: number };
};

/** First message: the bundle, and the longest answer that is handed on. */
interface Load {
  readonly bundle: string;
  readonly answerLengthMax: number;
}

/** Answers of a batch leave at least this often, which tells the watchdog that calls go on. */
const flushMs = 10;
const callsMax = 4096;

/** What of the language reaches outside, shares memory, runs later on its own, or compiles. */
const removed = [
  "ShadowRealm",
  "SharedArrayBuffer",
  "Atomics",
  "WebAssembly",
  "console",
  "FinalizationRegistry",
  "WeakRef",
  "eval",
  "Function",
  "Intl",
  "Temporal",
];

const prelude = `"use strict";
for (const name of ${JSON.stringify(removed)}) delete globalThis[name];
for (const make of [function () {}, async function () {}, function* () {}, async function* () {}])
  Object.defineProperty(Object.getPrototypeOf(make), "constructor", { value: undefined });
for (const name of ["captureStackTrace", "prepareStackTrace", "stackTraceLimit"]) {
  delete Error[name];
  Object.defineProperty(Error, name, { value: undefined, writable: false, configurable: false });
}
`;

type Call = (...values: (string | number)[]) => unknown;

interface Entrance {
  readonly describe: Call;
  readonly bind: Call;
  readonly unbind: Call;
  readonly take: Call;
  readonly run: Call;
  readonly settled: Call;
}

const failure = (reason: string): string => JSON.stringify({ do: "fail", reason });

function enter(bundle: string): Entrance {
  const realm = createContext(Object.create(null), { codeGeneration: { strings: false, wasm: false } });
  runInContext(prelude, realm);
  runInContext(bundle, realm, { filename: "policy" });
  const find = (name: string): Call => {
    const found: unknown = runInContext(`heddle.${name}`, realm);
    if (typeof found !== "function") throw new Error(`The bundle has no ${name}`);
    return found as Call;
  };
  return {
    describe: find("describe"),
    bind: find("bind"),
    unbind: find("unbind"),
    take: find("take"),
    run: find("run"),
    settled: find("settled"),
  };
}

/** The answers of one batch, handed on in parts. */
class Answers {
  #first = 0;
  #texts: string[] = [];
  #microseconds: number[] = [];
  #length = 0;
  #flushedMs: number;

  constructor(
    private readonly batch: string,
    nowMs: number,
  ) {
    this.#flushedMs = nowMs;
  }

  add(text: string, ms: number): void {
    this.#texts.push(text);
    this.#microseconds.push(Math.round(ms * 1000));
    this.#length += text.length;
  }

  settle(late: (index: number) => string): void {
    this.#texts.forEach((text, index) => {
      if (text === "") this.#texts[index] = late(this.#first + index) || failure("its promise never settles");
    });
  }

  isDue(nowMs: number, lengthMax: number): boolean {
    return nowMs - this.#flushedMs > flushMs || this.#length > lengthMax;
  }

  flush(): void {
    this.#send("a", 0);
  }

  end(cpuUs: number): void {
    this.#send("z", cpuUs);
  }

  #send(mark: "a" | "z", cpuUs: number): void {
    const us = this.#microseconds.join(",");
    self.postMessage(`${mark}${this.batch} [${this.#first},${cpuUs},[${us}],[${this.#texts.join(",")}]]`);
    this.#first += this.#texts.length;
    this.#texts = [];
    this.#microseconds = [];
    this.#length = 0;
    this.#flushedMs = performance.now();
  }
}

class Service {
  #toldUs = 0;

  constructor(
    private readonly entrance: Entrance,
    private readonly answerLengthMax: number,
  ) {}

  introduce(): void {
    self.postMessage(`l${this.#text(this.entrance.describe)}`);
  }

  receive(message: string): void {
    const space = message.indexOf(" ");
    const number = message.slice(1, space);
    const rest = message.slice(space + 1);
    switch (message[0]) {
      case "C":
        return this.#serve(number, rest);
      case "B":
        return self.postMessage(`b${number} ${this.#text(this.entrance.bind, Number(number), rest)}`);
      case "U":
        return void this.#text(this.entrance.unbind, Number(number));
      case "P":
        return self.postMessage("p");
    }
  }

  #serve(batch: string, calls: string): void {
    const count = this.#take(calls);
    let before = performance.now();
    const answers = new Answers(batch, before);
    let waiting = false;
    for (let index = 0; index < count; index++) {
      const answer = this.#text(this.entrance.run, index);
      const now = performance.now();
      answers.add(answer, now - before);
      before = now;
      if (answer === "") waiting = true;
      else if (!waiting && answers.isDue(now, this.answerLengthMax)) answers.flush();
    }
    if (!waiting) return answers.end(this.#cpuUs());
    // Microtasks of the realm have run by then; nothing else could settle a promise in there.
    setImmediate(() => {
      answers.settle((index) => this.#text(this.entrance.settled, index));
      answers.end(this.#cpuUs());
    });
  }

  /** CPU time of this thread since the last time, making the realm included: microseconds. */
  #cpuUs(): number {
    const { user, system } = process.threadCpuUsage();
    const untoldUs = user + system - this.#toldUs;
    this.#toldUs += untoldUs;
    return untoldUs;
  }

  #take(calls: string): number {
    try {
      const count = this.entrance.take(calls);
      return typeof count === "number" && count >= 0 && count <= callsMax ? count : 0;
    } catch {
      return 0;
    }
  }

  /** A string of the realm, or a failure. What it throws is not looked at. */
  #text(call: Call, ...values: (string | number)[]): string {
    try {
      const answer = call(...values);
      if (typeof answer !== "string") return failure("it answered no text");
      return answer.length > this.answerLengthMax ? failure("its answer is too long") : answer;
    } catch {
      return failure("it threw out of its realm");
    }
  }
}

/** What an error of the realm says. Asked without arguments: no object of this side gets in. */
function reasonOf(error: unknown): string {
  try {
    return String(error);
  } catch {
    return "it threw something that cannot be told";
  }
}

function start(): void {
  // Shown by the runtime, an error of the realm would be asked how with objects of this side.
  process.on("unhandledRejection", () => {});
  process.on("uncaughtException", () => {});
  let service: Service | null = null;
  self.addEventListener("message", ({ data }) => {
    const message = String(data);
    if (service !== null) return service.receive(message);
    const load = JSON.parse(message.slice(1)) as Load;
    try {
      service = new Service(enter(load.bundle), load.answerLengthMax);
      service.introduce();
    } catch (error) {
      self.postMessage(`f${reasonOf(error)}`);
    }
  });
}

start();
