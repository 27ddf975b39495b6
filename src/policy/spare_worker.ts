/** Workers of policies. The first is started before it is known what for: starting takes longer than all the rest. */
import type { WorkerThread, Workers } from "../../runtime/contract.ts";
import type { WorkerOwner } from "./hosted_policy.ts";

const entry = "src/policy/worker.ts";

export class SpareWorker {
  #spare: Waiting | null;

  constructor(private readonly workers: Pick<Workers, "start">) {
    this.#spare = new Waiting(workers);
  }

  take(owner: WorkerOwner): WorkerThread {
    const spare = this.#spare;
    this.#spare = null;
    return (spare === null || spare.over ? new Waiting(this.workers) : spare).give(owner);
  }
}

/** Keeps what a worker says until somebody owns it. */
class Waiting {
  /** It ended before it was taken. */
  over = false;
  readonly #said: string[] = [];
  readonly #thread: WorkerThread;
  #owner: WorkerOwner | null = null;

  constructor(workers: Pick<Workers, "start">) {
    this.#thread = workers.start(entry, {
      message: (message) => {
        if (this.#owner === null) this.#said.push(String(message));
        else this.#owner.message(String(message));
      },
      ended: (reason) => {
        this.over = true;
        this.#owner?.ended(reason);
      },
    });
  }

  give(owner: WorkerOwner): WorkerThread {
    this.#owner = owner;
    for (const message of this.#said.splice(0)) owner.message(message);
    return this.#thread;
  }
}
