/**
 * The thread of one policy version inside its sealed process: makes a realm with nothing but the language, runs the bundle in it
 * and hands calls over. Only strings and numbers cross; nothing that the realm throws or returns is touched beyond asking for
 * its type. What this file imports is all there is beside untrusted code: keep it so. The realm is no wall by itself: what counts
 * is the seal of the process, and that nobody believes what this thread says.
 *
 * In: `L` with Load as JSON, `B<binding> <options>`, `U<binding> `, `C<batch> <how many> <calls>`, `P`. Out: `t<thread>` at first,
 * `l0 <description>`, `b<binding> <answer>`, then `a<batch> <answers>` for parts of a batch and `z…` for its last (`answers.ts`),
 * `p0 `; `f<reason>` when the bundle cannot be loaded.
 */
import { dlopen } from "bun:ffi";
import { createContext, runInContext } from "node:vm";

declare const self: {
  addEventListener(type: "message", listener: (event: { readonly data: unknown }) => void): void;
  postMessage(message: string): void;
};
declare const process: {
  on(event: "unhandledRejection" | "uncaughtException", listener: () => void): void;
  threadCpuUsage(): { readonly user: number; readonly system: number };
};

/** What this side needs of the host once the bundle runs: taken before it does. */
const host = {
  post: self.postMessage.bind(self),
  cpu: process.threadCpuUsage.bind(process),
  nowMs: performance.now.bind(performance),
  soon: setImmediate,
};

/** First message: the bundle, and the longest answer that is handed on. */
interface Load {
  readonly bundle: string;
  readonly answerLengthMax: number;
}

/** Answers of a batch leave at least this often, which tells the watchdog that calls go on. */
const flushMs = 10;
/** As many as the reader of answers takes. */
const microsecondsMax = 999_999_999;

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

/** What stays of the names on this side. */
const language: ReadonlySet<string> = new Set(
  `globalThis NaN Infinity undefined Object Function Array String Number Boolean Symbol BigInt Math JSON Reflect Proxy Promise
   RegExp Date Error AggregateError EvalError RangeError ReferenceError SyntaxError TypeError URIError SuppressedError Map Set
   WeakMap WeakSet ArrayBuffer DataView Int8Array Uint8Array Uint8ClampedArray Int16Array Uint16Array Int32Array Uint32Array
   Float16Array Float32Array Float64Array BigInt64Array BigUint64Array Iterator parseInt parseFloat isNaN isFinite decodeURI
   decodeURIComponent encodeURI encodeURIComponent escape unescape DisposableStack AsyncDisposableStack`.split(
    /\s+/,
  ),
);

/**
 * Frames that an error of the realm shows, to tell where it was thrown: as many as the membrane puts between a call and this side, so
 * that none of this side is among them.
 */
const framesMax = 4;

/** Run in the realm first. Gives what this side calls the realm by, so that all calls and errors are made in there. */
const prelude = `"use strict";
for (const name of ${JSON.stringify(removed)}) delete globalThis[name];
for (const make of [function () {}, async function () {}, function* () {}, async function* () {}])
  Object.defineProperty(Object.getPrototypeOf(make), "constructor", { value: undefined });
Object.defineProperty(Error, "stackTraceLimit", { value: ${framesMax}, writable: false, configurable: false });
for (const name of ["captureStackTrace", "prepareStackTrace"]) {
  delete Error[name];
  Object.defineProperty(Error, name, { value: undefined, writable: false, configurable: false });
}
(() => {
  const NoImport = TypeError;
  const inner = (call, first, second) => {
    const answer = call(first, second);
    return answer;
  };
  const middle = (call, first, second) => {
    const answer = inner(call, first, second);
    return answer;
  };
  return {
    import: async () => { throw new NoImport("There is no import() in a policy"); },
    callable: (value) => typeof value === "function",
    text: (call, first, second) => {
      try {
        const answer = middle(call, first, second);
        return typeof answer === "string" ? answer : 0;
      } catch {
        return 1;
      }
    },
    told: (error) => {
      try {
        return "" + error;
      } catch {
        return "it threw something that cannot be told";
      }
    },
  };
})();
`;

type Call = (...values: (string | number)[]) => unknown;

/** What the prelude gives. */
interface Membrane {
  readonly import: () => Promise<never>;
  readonly callable: (value: unknown) => boolean;
  /** 0: it answered no text; 1: it threw. */
  readonly text: (call: Call, first?: string | number, second?: string) => string | 0 | 1;
  readonly told: (error: unknown) => string;
}

interface Entrance {
  readonly membrane: Membrane;
  readonly describe: Call;
  readonly bind: Call;
  readonly unbind: Call;
  readonly take: Call;
  readonly run: Call;
  readonly settled: Call;
}

const failure = (reason: string): string => JSON.stringify({ do: "fail", reason });

/** Runs the bundle in a realm of its own. What that throws, the membrane tells. */
function enter(realm: object, membrane: Membrane, bundle: string): Entrance {
  const importModuleDynamically = membrane.import as never;
  runInContext(bundle, realm, { filename: "policy", importModuleDynamically });
  const find = (name: string): Call => {
    const found: unknown = runInContext(`heddle.${name}`, realm);
    if (!membrane.callable(found)) throw new Error(`The bundle has no ${name}`);
    return found as Call;
  };
  return {
    membrane,
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
    this.#push(text, microseconds(ms * 1_000));
  }

  #push(text: string, us: number): void {
    this.#texts.push(text);
    this.#microseconds.push(us);
    this.#length += text.length;
  }

  #clear(): void {
    this.#texts = [];
    this.#microseconds = [];
    this.#length = 0;
  }

  /** What came late, in parts as long as others are. */
  settle(late: (index: number) => string, lengthMax: number): void {
    const texts = this.#texts;
    const first = this.#first;
    const times = this.#microseconds;
    this.#clear();
    texts.forEach((text, index) => {
      const answer = text === "" ? late(first + index) || failure("its promise never settles") : text;
      this.#push(answer, times[index] ?? 0);
      if (this.#length > lengthMax) this.flush();
    });
  }

  isDue(nowMs: number, lengthMax: number): boolean {
    return nowMs - this.#flushedMs > flushMs || this.#length > lengthMax;
  }

  flush(): void {
    this.#send("a", 0);
  }

  end(cpuUs: number): void {
    this.#send("z", microseconds(cpuUs));
  }

  #send(mark: "a" | "z", cpuUs: number): void {
    let numbers = `${this.#first},${cpuUs}`;
    for (let index = 0; index < this.#texts.length; index++) {
      numbers += `,${this.#microseconds[index]},${this.#texts[index]?.length}`;
    }
    host.post(`${mark}${this.batch} ${numbers};${this.#texts.join("")}`);
    this.#first += this.#texts.length;
    this.#clear();
    this.#flushedMs = host.nowMs();
  }
}

function microseconds(value: number): number {
  return Math.min(Math.max(Math.round(value), 0), microsecondsMax);
}

class Service {
  #toldUs = 0;

  constructor(
    private readonly entrance: Entrance,
    private readonly answerLengthMax: number,
  ) {}

  introduce(): void {
    host.post(`l0 ${this.#text(this.entrance.describe)}`);
  }

  receive(message: string): void {
    const [number, rest] = parted(message.slice(1));
    switch (message[0]) {
      case "C":
        return this.#serve(number, ...parted(rest));
      case "B":
        return host.post(`b${number} ${this.#text(this.entrance.bind, Number(number), rest)}`);
      case "U":
        return void this.#text(this.entrance.unbind, Number(number));
      case "P":
        return host.post("p0 ");
    }
  }

  #serve(batch: string, count: string, calls: string): void {
    this.#text(this.entrance.take, calls);
    let before = host.nowMs();
    const answers = new Answers(batch, before);
    let waiting = false;
    for (let index = 0; index < Number(count); index++) {
      const answer = this.#text(this.entrance.run, index);
      const now = host.nowMs();
      answers.add(answer, now - before);
      before = now;
      if (answer === "") waiting = true;
      else if (!waiting && answers.isDue(now, this.answerLengthMax)) answers.flush();
    }
    if (!waiting) return answers.end(this.#cpuUs());
    // Microtasks of the realm have run by then; nothing else could settle a promise in there.
    host.soon(() => {
      answers.settle((index) => this.#text(this.entrance.settled, index), this.answerLengthMax);
      answers.end(this.#cpuUs());
    });
  }

  /** CPU time of this thread since the last time, making the realm included: microseconds. */
  #cpuUs(): number {
    const { user, system } = host.cpu();
    const untoldUs = user + system - this.#toldUs;
    this.#toldUs += untoldUs;
    return untoldUs;
  }

  /** A string of the realm, or a failure. */
  #text(call: Call, first?: string | number, second?: string): string {
    const answer = this.entrance.membrane.text(call, first, second);
    if (typeof answer !== "string")
      return failure(answer === 0 ? "it answered no text" : "it threw out of its realm");
    return answer.length > this.answerLengthMax ? failure("its answer is too long") : answer;
  }
}

/** `<first> <rest>` */
function parted(text: string): [string, string] {
  const space = text.indexOf(" ");
  return [text.slice(0, space), text.slice(space + 1)];
}

/** Number of this thread at the kernel: its processor time is looked up by it. */
function threadNumber(): number {
  try {
    return dlopen("libc.so.6", { gettid: { args: [], returns: "i32" } }).symbols.gettid();
  } catch {
    return 0;
  }
}

/** Objects of the language that no name leads to. */
function unnamed(): object[] {
  const samples: object[] = [
    [][Symbol.iterator](),
    new Map()[Symbol.iterator](),
    new Set()[Symbol.iterator](),
    ""[Symbol.iterator](),
    "".matchAll(/a/g),
    (function* () {})(),
    (async function* () {})(),
    async function () {},
    function* () {},
    async function* () {},
    new Uint8Array(0),
  ];
  return samples.flatMap((sample) => {
    const above: object[] = [];
    for (let each = Object.getPrototypeOf(sample); each !== null; each = Object.getPrototypeOf(each)) {
      above.push(each as object);
    }
    return above;
  });
}

/**
 * Takes the names of this side that reach outside, and freezes the language of it: an object of this side that got into the
 * realm would lead nowhere, and nothing it leads to could be changed under our hands.
 */
function closeOutside(): void {
  const frozen = new Set<unknown>(unnamed());
  for (const name of Object.getOwnPropertyNames(globalThis)) {
    if (!language.has(name)) {
      Reflect.deleteProperty(globalThis, name);
      continue;
    }
    const value = (globalThis as Record<string, unknown>)[name];
    if (typeof value === "function" || typeof value === "object") {
      frozen.add(value).add((value as { readonly prototype?: unknown } | null)?.prototype);
    }
  }
  for (const each of frozen) {
    if (each === globalThis || each === null || each === undefined) continue;
    Object.freeze(each);
  }
}

function start(): void {
  // Shown by the runtime, an error of the realm would be asked how with objects of this side.
  process.on("unhandledRejection", () => {});
  process.on("uncaughtException", () => {});
  host.post(`t${threadNumber()}`);
  const realm = createContext(Object.create(null), { codeGeneration: { strings: false, wasm: false } });
  const membrane = runInContext(prelude, realm) as Membrane;
  let service: Service | null = null;
  self.addEventListener("message", ({ data }) => {
    const message = String(data);
    if (service !== null) return service.receive(message);
    const load = JSON.parse(message.slice(1)) as Load;
    try {
      service = new Service(enter(realm, membrane, load.bundle), load.answerLengthMax);
      service.introduce();
    } catch (error) {
      host.post(`f${membrane.told(error)}`);
    }
  });
  closeOutside();
}

start();
