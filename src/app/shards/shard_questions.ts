/** What operators ask of a shard, through its keeper, which joins the answers of all. */
import { problemOf } from "../../base/result.ts";
import type { Question } from "../../api/questions.ts";
import type { Answerers, Answering } from "../answers.ts";
import type { FromShard } from "./messages.ts";

/** Those that every shard answers for itself. */
export type ShardAnswerers = Pick<Answerers, "request" | "tap" | "record" | "policy-log" | "under-way">;

function isOfShards(what: Question["what"]): what is keyof ShardAnswerers {
  return ["request", "tap", "record", "policy-log", "under-way"].includes(what);
}

export class ShardQuestions {
  /** What ends each answer. */
  readonly #open = new Map<number, () => void>();

  constructor(
    readonly answerers: ShardAnswerers,
    readonly send: (message: FromShard) => void,
  ) {}

  take(ask: number, question: Question): void {
    const { send } = this;
    const end = (problem: string | null = null): void => {
      this.cancel(ask);
      send({ kind: "answered", ask, problem });
    };
    if (!isOfShards(question.what)) return end(`shards are not asked ${question.what}`);
    const answering = this.answerers[question.what] as Answering<Question["what"]>;
    try {
      let over = false;
      const stop = answering(question, {
        line: (line) => send({ kind: "line", ask, line }),
        lost: (count) => send({ kind: "lost", ask, count }),
        end: (problem) => {
          over = true;
          end(problem ?? null);
        },
      });
      if (over) stop?.();
      else this.#open.set(ask, stop ?? (() => {}));
    } catch (error) {
      end(problemOf(error));
    }
  }

  cancel(ask: number): void {
    const stop = this.#open.get(ask);
    this.#open.delete(ask);
    stop?.();
  }
}
