/**
 * What hooks are given besides what they are about: the virtual clock, chance that a replay repeats, counters, scratch, and notes
 * that travel to the proxy with the answer. Bundled with every policy; what it promises the proxy is checked there again.
 */
import { LocalCounter, msOf } from "./local_counter.ts";
import type {
  Duration,
  LogLevel,
  PolicyContext,
  ServiceAnswer,
  ServiceRequest,
  SharedCounter,
  SignatureCheck,
  Taken,
} from "./sdk.ts";
import { ServiceReply, Want, type Given } from "./want.ts";

/** How much is kept in a realm, from `limits.ts`. */
export interface RealmBounds {
  readonly counterKeysMax: number;
  readonly scratchesMax: number;
  readonly notesMax: number;
  /** Calls that wait for what the proxy finds out. */
  readonly waitsMax: number;
}

/** `["log", level, message, fields]`, `["count", name, amount, labels]`, `["observe", name, value, labels]` */
export type WrittenNote = readonly [string, string, string | number, Readonly<Record<string, unknown>>];

/** FNV-1a with a finishing mix. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}

/** mulberry32 */
class Die {
  #seed: number;

  constructor(seed: number) {
    this.#seed = seed;
  }

  roll(): number {
    this.#seed = (this.#seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#seed ^ (this.#seed >>> 15), 1 | this.#seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  }
}

/** Options under one number, and what belongs to them. */
export class BoundOptions<Options, State> {
  readonly #counters = new Map<string, LocalCounter>();
  readonly #scratches = new Map<string, Map<string, unknown>>();
  #state: { readonly value: State } | null = null;

  constructor(
    readonly options: Options,
    private readonly makeState: ((options: Options) => State) | undefined,
    private readonly now: () => number,
    private readonly bounds: RealmBounds,
  ) {}

  get state(): State {
    this.#state ??= { value: this.makeState?.(this.options) as State };
    return this.#state.value;
  }

  countersOf(service: string): LocalCounter {
    const known = this.#counters.get(service);
    if (known !== undefined) return known;
    const made = new LocalCounter(this.now, this.bounds.counterKeysMax);
    this.#counters.set(service, made);
    return made;
  }

  scratchOf(exchange: string): Map<string, unknown> {
    const known = this.#scratches.get(exchange);
    if (known !== undefined) return known;
    const made = new Map<string, unknown>();
    this.#scratches.set(exchange, made);
    const [oldest] = this.#scratches.keys();
    if (this.#scratches.size > this.bounds.scratchesMax && oldest !== undefined)
      this.#scratches.delete(oldest);
    return made;
  }
}

/** Of one call. */
export interface Asked {
  readonly requestId: string;
  /** Several may have one request id. */
  readonly exchange: string;
  readonly service: string;
  readonly source: string | null;
  readonly deadlineMs: number;
  readonly address: string | null;
  /** What chance begins with. */
  readonly seed: string;
}

const nameForm = /^[a-z][a-z0-9_]{0,62}$/;

export class CallContext<Options, State> implements PolicyContext<Options, State> {
  readonly options: Options;
  readonly service: string;
  readonly source: string | null;
  readonly requestId: string;
  readonly deadlineMs: number;
  readonly address: string | null;
  /** null: it said nothing. */
  notes: WrittenNote[] | null = null;
  /** What it waits for and the proxy was not asked yet; null: nothing. */
  wants: Want[] | null = null;
  readonly #bound: BoundOptions<Options, State>;
  readonly #now: () => number;
  readonly #notesMax: number;
  readonly #seed: string;
  readonly #exchange: string;
  #die: Die | null = null;

  constructor(bound: BoundOptions<Options, State>, asked: Asked, now: () => number, notesMax: number) {
    this.options = bound.options;
    this.service = asked.service;
    this.source = asked.source;
    this.requestId = asked.requestId;
    this.deadlineMs = asked.deadlineMs;
    this.address = asked.address;
    this.#bound = bound;
    this.#now = now;
    this.#notesMax = notesMax;
    this.#seed = asked.seed;
    this.#exchange = asked.exchange;
  }

  get state(): State {
    return this.#bound.state;
  }

  get scratch(): Map<string, unknown> {
    return this.#bound.scratchOf(this.#exchange);
  }

  get local(): LocalCounter {
    return this.#bound.countersOf(this.service);
  }

  now(): number {
    return this.#now();
  }

  random(): number {
    this.#die ??= new Die(hash(this.#seed));
    return this.#die.roll();
  }

  hash(text: string): number {
    return hash(text);
  }

  async call(service: string, path: string, request: ServiceRequest = {}): Promise<ServiceAnswer> {
    const { method = "GET", headers = {}, body = "" } = request;
    return new ServiceReply(await this.#want({ service, path, method, headers, body }));
  }

  readonly shared: SharedCounter = {
    take: async (key, amount, limit, per) =>
      takenOf(await this.#shared({ counter: key, amount, limit }, per)),
    add: async (key, amount, limit, per) =>
      takenOf(await this.#shared({ counter: key, amount, limit, how: "add" }, per)),
    reserve: async (key, amount, limit, per) => {
      const { taken } = await this.#shared({ counter: key, amount, limit, how: "reserve" }, per);
      return { ok: taken?.ok === true, id: taken?.id ?? "" };
    },
    settle: async (id, used) => {
      if (id !== "") await this.#want({ settle: id, used });
    },
  };

  #shared(asked: Readonly<Record<string, unknown>>, per: Duration): Promise<Given> {
    return this.#want({ ...asked, perMs: msOf(per) });
  }

  async verify({ algorithm, key, signature, data }: SignatureCheck): Promise<boolean> {
    return (await this.#want({ algorithm, key, signature, data })).value === true;
  }

  #want(asked: Readonly<Record<string, unknown>>): Promise<Given> {
    return new Promise((resolve, reject) => {
      this.wants ??= [];
      this.wants.push(new Want(asked, resolve, reject));
    });
  }

  log(
    level: LogLevel,
    message: string,
    fields: Readonly<Record<string, string | number | boolean>> = {},
  ): void {
    this.#note(["log", String(level), String(message), fields]);
  }

  count(name: string, amount = 1, labels: Readonly<Record<string, string>> = {}): void {
    if (!(amount >= 0 && amount < Infinity)) throw new RangeError(`Cannot count ${amount}: counters go up`);
    this.#note(["count", named(name), amount, labels]);
  }

  observe(name: string, value: number, labels: Readonly<Record<string, string>> = {}): void {
    if (!Number.isFinite(value)) throw new RangeError(`Cannot observe ${value}: it is no number`);
    this.#note(["observe", named(name), value, labels]);
  }

  #note(note: WrittenNote): void {
    this.notes ??= [];
    if (this.notes.length < this.#notesMax) this.notes.push(note);
  }
}

function takenOf({ taken }: Given): Taken {
  return { ok: taken?.ok === true, left: taken?.left ?? 0, resetMs: taken?.resetMs ?? Infinity };
}

function named(name: string): string {
  if (nameForm.test(name)) return name;
  throw new RangeError(`"${name}" is no name of a metric: lower-case letters, digits and _`);
}
