/** The process that is to take over from this one, as this one sees it. Until it is the service it may be given up at any time. */
import type { Child, Runtime } from "../../../runtime/contract.ts";
import { UserError } from "../../base/user_error.ts";
import { limits } from "../../model/limits.ts";
import { ShardChannel } from "../shards/shard_channel.ts";
import { type FromSuccessor, takesOverFrom, type ToSuccessor } from "./messages.ts";

type Host = Pick<Runtime, "process" | "clock">;

export class Successor {
  /** Of what it said last. */
  pid = 0;
  version = "";
  readonly #child: Child;
  readonly #channel: ShardChannel<FromSuccessor, ToSuccessor>;
  readonly #gone = Promise.withResolvers<never>();
  /** Wait for a message of that kind. */
  readonly #waiting = new Map<FromSuccessor["kind"], () => void>();
  #isMain = false;

  /** Throws when it cannot be started. `lost`: it ended while it was the service. */
  constructor(
    readonly runtime: Host,
    readonly program: string,
    readonly lost: () => void,
  ) {
    const { process, clock } = runtime;
    this.#child = process.spawn({
      command: [program, ...process.args],
      env: environmentOf(process.env, process.pid),
      apart: true,
      channel: true,
      takesDescriptors: true,
      output: "inherit",
      exited: () => {},
    });
    // What nobody waits for is no fault.
    this.#gone.promise.catch(() => {});
    this.#channel = new ShardChannel<FromSuccessor, ToSuccessor>(
      (handler) => this.#child.channel(handler),
      clock,
      {
        message: (message) => this.#heard(message),
        gone: () => this.#end("it ended"),
      },
    );
  }

  /** It runs and can read the state, and has all of these descriptors. Throws why not. */
  async prepare(descriptors: readonly number[]): Promise<void> {
    await this.#next("hello", "it did not say that it runs");
    for (const descriptor of descriptors) {
      if (!this.#child.hand(descriptor)) throw new UserError("it takes no sockets");
      this.#channel.send({ kind: "socket" });
      await this.#next("took", "it did not take its sockets");
    }
  }

  /** It serves. Throws why not. */
  async begin(draining: readonly number[]): Promise<void> {
    this.#channel.send({ kind: "begin", draining });
    await this.#next("ready", "it did not serve");
  }

  /** It is the service now. */
  main(): void {
    this.#isMain = true;
    this.#channel.send({ kind: "main" });
    this.#channel.flush();
  }

  /** Ends it, whatever it does, and all that it has started. */
  giveUp(): void {
    this.#child.kill("SIGKILL");
    this.#channel.destroy();
  }

  #heard(message: FromSuccessor): void {
    if (message.kind === "failed") return this.#end(message.reason);
    if (message.kind === "ceded") return void (this.#isMain = false);
    if (message.kind === "hello") [this.pid, this.version] = [message.pid, message.version];
    this.#waiting.get(message.kind)?.();
    this.#waiting.delete(message.kind);
  }

  #end(reason: string): void {
    this.#gone.reject(new UserError(reason));
    if (this.#isMain) this.lost();
  }

  async #next(kind: FromSuccessor["kind"], late: string): Promise<void> {
    const { clock } = this.runtime;
    const came = Promise.withResolvers<void>();
    this.#waiting.set(kind, came.resolve);
    const timer = clock.after(limits.upgradeStepMs, () =>
      came.reject(new UserError(`${late} within ${limits.upgradeStepMs / 1000} s`)),
    );
    try {
      await Promise.race([came.promise, this.#gone.promise]);
    } finally {
      timer.cancel();
    }
  }
}

/** All that this process was started with but what was for this process alone. */
function environmentOf(
  env: Readonly<Record<string, string | undefined>>,
  pid: number,
): Record<string, string> {
  const kept = Object.entries(env).filter(
    (each): each is [string, string] => each[1] !== undefined && !/^(WATCHDOG_PID|LISTEN_.*)$/.test(each[0]),
  );
  return { ...Object.fromEntries(kept), [takesOverFrom]: String(pid) };
}
