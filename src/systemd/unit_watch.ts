/**
 * Follows whether units of this machine are active, as their manager tells it by D-Bus (org.freedesktop.systemd1(5)), which everybody
 * may ask. A bus that is away is tried again; as long as it is, nothing is known of any unit.
 */
import type {
  Clock,
  Net,
  ProcessHost,
  Random,
  Socket,
  SocketHandler,
  Timer,
} from "../../runtime/contract.ts";
import { Backoff } from "../base/backoff.ts";
import { problemOf } from "../base/result.ts";
import { limits } from "../model/limits.ts";
import { busCall, busMessageLength, readBusMessage, type BusCall, type BusMessage } from "./bus_messages.ts";

/** `ActiveState`: active, reloading, inactive, failed, activating, deactivating; null: nobody tells. */
export type UnitState = string | null;

export interface UnitWatchOptions {
  readonly net: Pick<Net, "connect">;
  readonly clock: Clock;
  readonly random: Random;
  readonly process: Pick<ProcessHost, "env" | "user">;
  readonly log: (text: string) => void;
}

const manager = "org.freedesktop.systemd1";
const properties = "org.freedesktop.DBus.Properties";
const bus = {
  destination: "org.freedesktop.DBus",
  path: "/org/freedesktop/DBus",
  interface: "org.freedesktop.DBus",
};

export class UnitWatch {
  /** By unit: who wants to hear of it. */
  readonly #told = new Map<string, Set<(state: UnitState) => void>>();
  readonly #states = new Map<string, string>();
  /** Units by the serials of the calls that ask for their states. */
  readonly #asked = new Map<number, string>();
  readonly #backoff: Backoff;
  #line: BusLine | null = null;
  #timer: Timer | null = null;
  #serial = 0;
  #problem: string | null = null;
  #closed = false;

  constructor(readonly options: UnitWatchOptions) {
    const { random } = options;
    this.#backoff = new Backoff({
      firstMs: limits.reconnectMs,
      maxMs: limits.reconnectMaxMs,
      unit: () => random.unit(),
    });
  }

  /** `told` hears of each change, and of the state as it is now once that is known. */
  follow(unit: string, told: (state: UnitState) => void): { close(): void } {
    const before = this.#told.get(unit);
    const all = before ?? new Set();
    all.add(told);
    this.#told.set(unit, all);
    if (this.#line === null) this.#connect();
    else if (before === undefined) this.#match(unit);
    else if (this.#states.has(unit)) told(this.#states.get(unit) ?? null);
    return {
      close: () => {
        all.delete(told);
        if (all.size > 0) return;
        this.#told.delete(unit);
        this.#states.delete(unit);
      },
    };
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#line?.close();
  }

  #connect(): void {
    if (this.#closed || this.#line !== null) return;
    this.#timer?.cancel();
    const line = new BusLine(this.options, {
      ready: () => this.#begun(),
      message: (message) => this.#take(message),
      ended: (problem) => this.#ended(problem),
    });
    this.#line = line;
    line.open(busPath(this.options.process), this.options.process.user);
  }

  /** Always told to: without it, signals come only where somebody else asked for them. */
  #begun(): void {
    this.#call({ ...bus, member: "Hello", strings: [] });
    this.#call({
      destination: manager,
      path: "/org/freedesktop/systemd1",
      interface: `${manager}.Manager`,
      member: "Subscribe",
      strings: [],
    });
    for (const unit of this.#told.keys()) this.#match(unit);
  }

  #match(unit: string): void {
    const rule = `type='signal',sender='${manager}',interface='${properties}',member='PropertiesChanged',path='${unitPath(unit)}'`;
    this.#call({ ...bus, member: "AddMatch", strings: [rule] });
    this.#ask(unit);
  }

  #ask(unit: string): void {
    const path = unitPath(unit);
    const strings = [`${manager}.Unit`, "ActiveState"];
    this.#asked.set(
      this.#call({ destination: manager, path, interface: properties, member: "Get", strings }),
      unit,
    );
  }

  #call(call: Omit<BusCall, "serial">): number {
    const serial = ++this.#serial;
    this.#line?.send(busCall({ serial, ...call }));
    return serial;
  }

  #take({ kind, replyTo, path, member, text }: BusMessage): void {
    if (this.#problem !== null) this.options.log("the manager of the units tells how they are again");
    this.#problem = null;
    this.#backoff.reset();
    if (kind === "signal") {
      if (member !== "PropertiesChanged") return;
      for (const unit of this.#told.keys()) if (unitPath(unit) === path) this.#ask(unit);
      return;
    }
    const unit = this.#asked.get(replyTo);
    if (unit === undefined) return;
    this.#asked.delete(replyTo);
    if (kind === "return" && text !== null) this.#tell(unit, text);
  }

  #tell(unit: string, state: string): void {
    if (this.#states.get(unit) === state) return;
    this.#states.set(unit, state);
    for (const told of this.#told.get(unit) ?? []) told(state);
  }

  #ended(problem: string): void {
    this.#line = null;
    this.#asked.clear();
    this.#states.clear();
    if (this.#closed) return;
    if (this.#problem === null)
      this.options.log(
        `nobody tells how the units of this machine are, so their probes alone do: ${problem}`,
      );
    this.#problem = problem;
    for (const all of this.#told.values()) for (const told of all) told(null);
    this.#timer = this.options.clock.after(this.#backoff.nextMs(), () => this.#connect(), true);
  }
}

/** That of the user's own manager, where one of those runs this. */
function busPath({ env, user }: Pick<ProcessHost, "env" | "user">): string {
  const folder = env["XDG_RUNTIME_DIR"];
  return user === 0 || folder === undefined ? "/run/dbus/system_bus_socket" : `${folder}/bus`;
}

/** The object of a unit: all but letters and digits are written by their numbers. */
function unitPath(unit: string): string {
  const escaped = [...new TextEncoder().encode(unit)].map((byte, at) => {
    const letter = String.fromCharCode(byte);
    const isPlain = /[A-Za-z]/.test(letter) || (at > 0 && /\d/.test(letter));
    return isPlain ? letter : `_${byte.toString(16).padStart(2, "0")}`;
  });
  return `/org/freedesktop/systemd1/unit/${escaped.join("")}`;
}

interface BusEvents {
  ready(): void;
  message(message: BusMessage): void;
  /** Once, with the reason. */
  ended(problem: string): void;
}

/** One connection: authentication by the user of this process, then messages. */
class BusLine {
  #socket: Socket | null = null;
  #dial: { cancel(): void } | null = null;
  #waiting: Uint8Array = new Uint8Array(0);
  #begun = false;
  #ended = false;
  #unsent: Uint8Array = new Uint8Array(0);

  constructor(
    readonly options: Pick<UnitWatchOptions, "net">,
    readonly events: BusEvents,
  ) {}

  open(path: string, user: number): void {
    const identity = [...new TextEncoder().encode(String(user))].map((byte) => byte.toString(16)).join("");
    this.#dial = this.options.net.connect(
      { host: path, port: 0, unix: path, timeoutMs: limits.probeTimeoutMs },
      {
        opened: (socket): SocketHandler => {
          this.#socket = socket;
          this.send(new TextEncoder().encode(`\0AUTH EXTERNAL ${identity}\r\n`));
          return {
            data: (chunk) => this.#take(chunk),
            drain: () => this.#flush(),
            end: () => this.#end("the bus ended the connection"),
            close: (error) => this.#end(error?.message ?? "the bus ended the connection"),
          };
        },
        failed: (error) => this.#end(error.message),
      },
    );
  }

  send(bytes: Uint8Array): void {
    this.#unsent = joined(this.#unsent, bytes);
    this.#flush();
  }

  close(): void {
    this.#ended = true;
    this.#dial?.cancel();
    this.#socket?.destroy();
  }

  #flush(): void {
    const taken = this.#socket?.write(this.#unsent) ?? 0;
    if (taken > 0) this.#unsent = this.#unsent.slice(taken);
  }

  #take(chunk: Uint8Array): void {
    this.#waiting = joined(this.#waiting, chunk);
    try {
      if (!this.#begun && !this.#authenticated()) return;
      for (;;) {
        const length = busMessageLength(this.#waiting);
        if (length !== null && length > limits.busMessageBytesMax) throw new Error("a message is too long");
        if (length === null || length > this.#waiting.length) return;
        const message = readBusMessage(this.#waiting.subarray(0, length));
        this.#waiting = this.#waiting.slice(length);
        this.events.message(message);
      }
    } catch (error) {
      this.#end(`the bus says what is not understood: ${problemOf(error)}`);
    }
  }

  /** Its answer is one line. */
  #authenticated(): boolean {
    const end = this.#waiting.indexOf(0x0a);
    if (end < 0 && this.#waiting.length > limits.busMessageBytesMax) throw new Error("a line is too long");
    if (end < 0) return false;
    const line = new TextDecoder().decode(this.#waiting.subarray(0, end)).trim();
    this.#waiting = this.#waiting.slice(end + 1);
    if (!line.startsWith("OK ")) throw new Error(line);
    this.#begun = true;
    this.send(new TextEncoder().encode("BEGIN\r\n"));
    this.events.ready();
    return true;
  }

  #end(problem: string): void {
    if (this.#ended) return;
    this.close();
    this.events.ended(problem);
  }
}

function joined(one: Uint8Array, other: Uint8Array): Uint8Array {
  if (one.length === 0) return other.slice();
  const both = new Uint8Array(one.length + other.length);
  both.set(one);
  both.set(other, one.length);
  return both;
}
