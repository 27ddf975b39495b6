/**
 * The process from which this one takes over, as this one sees it: it hands its sockets over, says when to begin, hears when this one
 * serves, and makes it the service then.
 */
import type { Runtime } from "../../../runtime/contract.ts";
import { version } from "../../base/build.ts";
import { type StoredSocket, socketAt } from "../../systemd/socket_store.ts";
import { ShardChannel } from "../shards/shard_channel.ts";
import { type FromSuccessor, takesOverFrom, type ToSuccessor } from "./messages.ts";

export interface Given {
  readonly sockets: readonly StoredSocket[];
  /** Processes of generations before the last one that still let what they have finish. */
  readonly draining: readonly number[];
}

export class Predecessor {
  /** Its process. */
  readonly pid: number;
  readonly #channel: ShardChannel<ToSuccessor, FromSuccessor>;
  readonly #sockets: StoredSocket[] = [];
  readonly #given = Promise.withResolvers<Given>();
  readonly #main = Promise.withResolvers<void>();
  #isMain = false;

  /** null: this process takes over from none. */
  static find(runtime: Runtime): Predecessor | null {
    const pid = Number(runtime.process.env[takesOverFrom] ?? "");
    return pid > 0 ? new Predecessor(runtime, pid) : null;
  }

  private constructor(
    readonly runtime: Runtime,
    pid: number,
  ) {
    const { process, clock } = runtime;
    this.pid = pid;
    this.#channel = new ShardChannel<ToSuccessor, FromSuccessor>(
      (handler) => process.channel(handler),
      clock,
      {
        message: (message) => this.#heard(message),
        // Before this one is the service it has nothing to do but to serve after that one.
        gone: () => void (!this.#isMain && process.exit(1)),
      },
    );
  }

  /** This process runs, and can read the state. Resolves when it is to begin. */
  async begin(): Promise<Given> {
    this.#channel.send({ kind: "hello", pid: this.runtime.process.pid, version: version() });
    return await this.#given.promise;
  }

  /** This process serves. Resolves when it is the service. */
  async serves(): Promise<void> {
    this.#channel.send({ kind: "ready" });
    await this.#main.promise;
  }

  /** Another process has taken over from this one. */
  ceded(): void {
    this.#channel.send({ kind: "ceded" });
    this.#channel.flush();
  }

  /** This process will not serve; to be called before it ends. */
  failed(reason: string): void {
    this.#channel.send({ kind: "failed", reason });
    this.#channel.flush();
  }

  #heard(message: ToSuccessor): void {
    const { process, native } = this.runtime;
    if (message.kind === "socket") {
      const socket = socketAt(native, process.handed());
      if (socket !== null) this.#sockets.push(socket);
      this.#channel.send({ kind: "took" });
    } else if (message.kind === "begin")
      this.#given.resolve({ sockets: this.#sockets, draining: message.draining });
    else if (message.kind === "main") {
      this.#isMain = true;
      this.#main.resolve();
    }
  }
}
