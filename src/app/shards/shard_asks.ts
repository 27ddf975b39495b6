/** Questions that shards answer: each is asked of all of them, and what they say is one answer. */
import type { Question } from "../../api/questions.ts";
import type { Reply } from "../answers.ts";
import type { FromShard } from "./messages.ts";
import type { ShardProcess } from "./shard_process.ts";
import type { ShardAnswerers } from "./shard_questions.ts";

interface OpenAsk {
  readonly question: Question;
  readonly reply: Reply;
  /** Those that have not answered. */
  readonly left: Set<ShardProcess>;
  problem: string | null;
}

export class ShardAsks {
  readonly answerers: ShardAnswerers;
  readonly #open = new Map<number, OpenAsk>();
  #asks = 0;

  constructor(readonly shards: () => Iterable<ShardProcess>) {
    const answering = (question: Question, reply: Reply): (() => void) => this.#ask(question, reply);
    this.answerers = {
      request: answering,
      tap: answering,
      record: answering,
      "policy-log": answering,
      "under-way": answering,
    };
  }

  #ask(question: Question, reply: Reply): () => void {
    const ask = ++this.#asks;
    const left = new Set(this.shards());
    this.#open.set(ask, { question, reply, left, problem: null });
    for (const shard of left) shard.send({ kind: "question", ask, question: partOf(question, left.size) });
    if (left.size === 0) this.#answered(ask, null, "no event loop carries traffic at this moment");
    return () => {
      this.#open.delete(ask);
      for (const shard of left) shard.send({ kind: "cancel", ask });
    };
  }

  heard(shard: ShardProcess, message: Extract<FromShard, { kind: "line" | "lost" | "answered" }>): void {
    const open = this.#open.get(message.ask);
    if (open === undefined) return;
    if (message.kind === "line") open.reply.line(message.line);
    else if (message.kind === "lost") open.reply.lost(message.count);
    else this.#answered(message.ask, shard, message.problem);
  }

  /** Another one, which is asked what nobody has answered for good. */
  came(shard: ShardProcess): void {
    for (const [ask, { question, left }] of this.#open) {
      if (!lasts(question)) continue;
      left.add(shard);
      shard.send({ kind: "question", ask, question: partOf(question, left.size) });
    }
  }

  ended(shard: ShardProcess): void {
    for (const [ask, { question, left }] of [...this.#open]) {
      // The one in its place goes on with it.
      if (lasts(question)) left.delete(shard);
      else if (left.has(shard)) this.#answered(ask, shard, null);
    }
  }

  #answered(ask: number, shard: ShardProcess | null, problem: string | null): void {
    const open = this.#open.get(ask);
    if (open === undefined) return;
    open.problem ??= problem;
    if (shard !== null) open.left.delete(shard);
    if (open.left.size > 0) return;
    this.#open.delete(ask);
    open.reply.end(open.problem ?? undefined);
  }
}

/** Until nobody listens any more. */
function lasts({ what }: Question): boolean {
  return what === "tap" || what === "record" || what === "policy-log";
}

/** So much of a question to each that what they answer together is what was asked for. */
function partOf(question: Question, shards: number): Question {
  return question.what === "tap"
    ? { ...question, perSecond: Math.ceil(question.perSecond / shards) }
    : question;
}
