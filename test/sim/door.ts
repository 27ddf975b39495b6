/** heddle's inbound side before a simulated server, with adaptive concurrency: the real limit, and the real line before it. */
import { BoundedQueue } from "../../src/proxy/limit/bounded_queue.ts";
import { Gradient2 } from "../../src/proxy/limit/gradient2.ts";
import { priorityLevel } from "../../src/model/priority.ts";
import type { Schedule } from "./schedule.ts";
import type { Ending, Job, Server } from "./server.ts";

const waitingMax = 256;
const level = priorityLevel("default");

export class AdaptiveDoor {
  readonly #limit = new Gradient2();
  #underWay = 0;
  readonly #line = new BoundedQueue<Job>({ max: waitingMax, dropped: (job) => job.answered("busy") });

  constructor(
    readonly server: Server,
    readonly schedule: Schedule,
  ) {}

  take(job: Job): void {
    if (this.#underWay < this.#limit.limit) return this.#dispatch(job);
    if (!this.#line.offer(job, level, job.deadlineMs, this.schedule.nowMs)) job.answered("busy");
  }

  #dispatch(job: Job): void {
    const startedMs = this.schedule.nowMs;
    const underWay = ++this.#underWay;
    this.server.take({
      deadlineMs: job.deadlineMs,
      answered: (ending: Ending) => {
        this.#underWay--;
        if (ending === "ok")
          this.#limit.sample(this.schedule.nowMs - startedMs, underWay, this.schedule.nowMs);
        job.answered(ending);
        this.#next();
      },
    });
  }

  #next(): void {
    while (this.#underWay < this.#limit.limit) {
      const job = this.#line.take(this.schedule.nowMs);
      if (job === null) return;
      this.#dispatch(job);
    }
  }
}
