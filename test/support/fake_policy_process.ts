/** A policy host by hand: the process that `createPolicyHost` starts, in memory, saying what a test tells it to. */
import type { Child, ProcessHost, Socket, SocketHandler, SpawnOptions } from "../../runtime/contract.ts";
import { FrameChannel, frameKinds, type FrameKind } from "../../src/policy/protocol.ts";
import { PairedSocket } from "./paired_socket.ts";
import type { ManualClock } from "./clock.ts";

export interface SeenFrame {
  readonly kind: number;
  readonly first: number;
  readonly second: number;
  readonly text: string;
}

/** One life of the process. */
export class FakePolicyProcess implements Child {
  readonly pid: number;
  readonly killed: string[] = [];
  readonly frames: SeenFrame[] = [];
  readonly #ours: PairedSocket;
  readonly #theirs: PairedSocket;
  readonly #channel: FrameChannel;

  constructor(
    pid: number,
    readonly clock: ManualClock,
    readonly options: SpawnOptions,
  ) {
    this.pid = pid;
    [this.#ours, this.#theirs] = PairedSocket.pair();
    const open = (handler: SocketHandler): Socket => {
      this.#theirs.handler = handler;
      return this.#theirs;
    };
    this.#channel = new FrameChannel(open, clock, {
      frame: (kind, first, second, text) => void this.frames.push({ kind, first, second, text }),
      gone() {},
    });
  }

  hand(): boolean {
    return false;
  }

  channel(handler: SocketHandler): Socket {
    this.#ours.handler = handler;
    return this.#ours;
  }

  kill(signal: string): void {
    this.killed.push(signal);
  }

  of(kind: FrameKind): SeenFrame[] {
    return this.frames.filter((frame) => frame.kind === kind);
  }

  say(kind: FrameKind, first: number, second: number, text: unknown): void {
    this.#channel.send(kind, first, second, typeof text === "string" ? text : JSON.stringify(text));
    this.#channel.flush();
  }

  /** Octets as they are. */
  write(bytes: Uint8Array): void {
    this.#theirs.write(bytes);
  }

  /** Sealed, and every bundle that it was given so far is loaded. */
  ready(): void {
    this.say(frameKinds.ready, 0, 0, { sealed: true, why: null });
  }
}

/** Starts such processes: the last one is the one that runs. */
export class FakePolicyProcesses implements Pick<
  ProcessHost,
  "spawn" | "self" | "residentBytesOf" | "processorMsOf"
> {
  readonly self = ["heddle"];
  readonly lives: FakePolicyProcess[] = [];
  /** Of every one of them. */
  residentBytes = 0;
  cpuMs = 0;
  /** Why none can be started. */
  failing: string | null = null;

  constructor(readonly clock: ManualClock) {}

  spawn(options: SpawnOptions): FakePolicyProcess {
    if (this.failing !== null) throw new Error(this.failing);
    const life = new FakePolicyProcess(this.lives.length + 1, this.clock, options);
    this.lives.push(life);
    return life;
  }

  processorMsOf(): number {
    return this.cpuMs;
  }

  residentBytesOf(): number {
    return this.residentBytes;
  }

  get last(): FakePolicyProcess {
    const last = this.lives.at(-1);
    if (last === undefined) throw new Error("No policy host was started");
    return last;
  }
}
