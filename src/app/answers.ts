/** Answers what operators ask of this proxy, as the controller passes it on; what comes faster than it can be sent is dropped. */
import { problemOf } from "../base/result.ts";
import type { ControlClient } from "../api/control.ts";
import { controllerPaths } from "../api/messages.ts";
import type { AskAnswer, AskLine, Question } from "../api/questions.ts";
import { limits } from "../model/limits.ts";

export interface Reply {
  /** Never waits: beyond a bound lines are dropped, and counted. */
  line(line: unknown): void;
  /** So many lines were left out before they came here. */
  lost(count: number): void;
  /** Once; nothing comes after it. `problem`: why it is no whole answer. */
  end(problem?: string): void;
}

/** Begins to answer; what it returns ends that, because nobody waits any more. Throws what is wrong with the question. */
export type Answering<What extends Question["what"]> = (
  question: Extract<Question, { readonly what: What }>,
  reply: Reply,
) => (() => void) | void;

export type Answerers = { readonly [What in Question["what"]]: Answering<What> };

export class Answers {
  readonly #open = new Map<string, OpenAnswer>();

  constructor(
    readonly control: Pick<ControlClient, "call">,
    readonly answerers: Answerers,
  ) {}

  take(line: AskLine): void {
    if (line.kind === "cancel") return this.#cancel(line.ask);
    const open = new OpenAnswer(line.ask, this.control, () => this.#open.delete(line.ask));
    this.#open.set(line.ask, open);
    try {
      const { question } = line;
      // A controller of a newer version may ask what this one does not know.
      if (!Object.hasOwn(this.answerers, question.what))
        return open.end(`this version of heddle does not know the question ${question.what}`);
      const answering = this.answerers[question.what] as Answering<Question["what"]>;
      open.stop = answering(question, open) ?? null;
      if (open.over) open.stop?.();
    } catch (error) {
      open.end(problemOf(error));
    }
  }

  /** The controller is away: whoever asked is told so there. */
  cancelAll(): void {
    for (const ask of [...this.#open.keys()]) this.#cancel(ask);
  }

  #cancel(ask: string): void {
    const open = this.#open.get(ask);
    this.#open.delete(ask);
    open?.cancel();
  }
}

class OpenAnswer implements Reply {
  stop: (() => void) | null = null;
  over = false;
  #lines: unknown[] = [];
  #dropped = 0;
  #end: AskAnswer["end"] = null;
  #sending = false;

  constructor(
    readonly ask: string,
    readonly control: Pick<ControlClient, "call">,
    readonly done: () => void,
  ) {}

  line(line: unknown): void {
    if (this.over) return;
    if (this.#lines.length >= limits.answerLinesMax) this.#dropped++;
    else this.#lines.push(line);
    this.#send();
  }

  lost(count: number): void {
    if (this.over) return;
    this.#dropped += count;
    this.#send();
  }

  end(problem?: string): void {
    if (this.over) return;
    this.over = true;
    this.#end = { problem: problem?.slice(0, limits.answerProblemLengthMax) ?? null };
    this.stop?.();
    this.#send();
  }

  cancel(): void {
    this.over = true;
    this.#lines = [];
    this.#end = null;
    this.stop?.();
  }

  /** One message at a time: what comes meanwhile goes with the next. */
  #send(): void {
    if (this.#sending) return;
    if (this.#lines.length === 0 && this.#dropped === 0 && this.#end === null) return;
    const answer: AskAnswer = { ask: this.ask, lines: this.#lines, dropped: this.#dropped, end: this.#end };
    this.#lines = [];
    this.#dropped = 0;
    this.#end = null;
    this.#sending = true;
    this.control.call("POST", controllerPaths.answers, answer).then(
      () => {
        this.#sending = false;
        if (answer.end !== null) this.done();
        else this.#send();
      },
      // Nobody waits, or the controller is away: it tells whoever asked.
      () => {
        this.cancel();
        this.done();
      },
    );
  }
}
