/** Shards by hand: the processes that the keeper of a proxy starts, in memory, saying what a test tells them to. */
import type {
  Child,
  ProcessHost,
  SharedMemory,
  Socket,
  SocketHandler,
  SpawnOptions,
} from "../../runtime/contract.ts";
import type { FromShard, ToShard } from "../../src/app/shards/messages.ts";
import { ShardChannel } from "../../src/app/shards/shard_channel.ts";
import type { ManualClock } from "./clock.ts";
import { PairedSocket } from "./paired_socket.ts";

/** One life of one of them. */
export class FakeShard implements Child {
  /** What it was told, in order. */
  readonly told: ToShard[] = [];
  /** Descriptors that it was handed, and has not taken. */
  readonly handed: number[] = [];
  readonly #ours: PairedSocket;
  readonly #channel: ShardChannel<ToShard, FromShard>;
  isGone = false;

  constructor(
    readonly pid: number,
    clock: ManualClock,
    readonly options: SpawnOptions,
  ) {
    const [ours, theirs] = PairedSocket.pair();
    this.#ours = ours;
    const open = (handler: SocketHandler): Socket => {
      theirs.handler = handler;
      return theirs;
    };
    this.#channel = new ShardChannel(open, clock, {
      message: (each) => void this.told.push(each),
      gone() {},
    });
  }

  channel(handler: SocketHandler): Socket {
    this.#ours.handler = handler;
    return this.#ours;
  }

  hand(descriptor: number): boolean {
    this.handed.push(descriptor);
    return !this.isGone;
  }

  kill(): void {
    this.end(null, "SIGKILL");
  }

  end(code: number | null, signal: string | null): void {
    if (this.isGone) return;
    this.isGone = true;
    this.options.exited(code, signal);
  }

  say(message: FromShard): void {
    this.#channel.send(message);
    this.#channel.flush();
  }

  /** It takes no more of what it is told. */
  stall(): void {
    this.#ours.room = 0;
  }

  kinds(): string[] {
    return this.told.map(({ kind }) => kind);
  }
}

export class FakeShards implements Pick<
  ProcessHost,
  "spawn" | "self" | "env" | "processorMsOf" | "residentBytesOf" | "shareMemory"
> {
  readonly self = ["heddle"];
  readonly env = { HOME: "/home/x", SECRET: "1", OTEL_SERVICE_NAME: "y", HEDDLE_FAULTS: "end" };
  readonly lives: FakeShard[] = [];
  cpuMs = 0;
  /** Bytes of each, by pid. */
  readonly resident = new Map<number, number>();
  memory: SharedMemory = { bytes: new ArrayBuffer(0) };

  constructor(readonly clock: ManualClock) {}

  shareMemory(bytes: number): SharedMemory {
    return (this.memory = { bytes: new ArrayBuffer(bytes) });
  }

  processorMsOf(): number {
    return this.cpuMs;
  }

  residentBytesOf(pid: number): number | null {
    return this.resident.get(pid) ?? null;
  }

  spawn(options: SpawnOptions): FakeShard {
    const life = new FakeShard(this.lives.length + 1, this.clock, options);
    this.lives.push(life);
    return life;
  }

  /** Those that have not ended. */
  get running(): FakeShard[] {
    return this.lives.filter(({ isGone }) => !isGone);
  }
}
