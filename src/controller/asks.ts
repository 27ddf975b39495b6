/** Questions of operators on their way to machines and back. Each is open until all machines have answered, or its asker leaves. */
import type { Clock, Timer } from "../../runtime/contract.ts";
import { lineStream, type LineStream } from "../api/ndjson.ts";
import { Refusal } from "../api/problem.ts";
import type { AskAnswer, AskedLine, AskLine, AskRequest } from "../api/questions.ts";
import { limits } from "../model/limits.ts";

export interface AsksOptions {
  readonly clock: Clock;
  /** Begins the id of each question, so that another controller knows whose it is. */
  readonly owner: string;
  /** Machines that follow their snapshots here now. */
  readonly connected: () => readonly string[];
  /** Sends a line to a machine; false: it is not connected. */
  readonly tell: (machine: string, line: AskLine) => boolean;
}

/** Takes each AskedLine. */
export type AskSink = Pick<LineStream, "send" | "close">;

interface OpenAsk {
  readonly id: string;
  readonly stream: AskSink;
  /** Machines whose answer has not ended. */
  readonly waiting: Set<string>;
  late: Timer | null;
}

export class Asks {
  readonly #open = new Map<string, OpenAsk>();
  /** Those of the controller that go on for as long as a machine is connected: one for each. */
  readonly #following = new Set<string>();
  #count = 0;

  constructor(readonly options: AsksOptions) {}

  /** The stream of AskedLine for whoever asked. Throws a Refusal when too many questions are open. */
  ask(request: AskRequest): Response {
    const id = this.#newId();
    const heartbeat = (): AskedLine => ({ kind: "heartbeat" });
    const { clock } = this.options;
    return lineStream({ clock, heartbeat, closed: () => this.#left(id) }, (stream) =>
      this.#begin(id, request, stream),
    );
  }

  /** The whole answer of one machine, for the controller itself. Rejects with a Refusal when there is none. */
  async collect(machine: string, question: AskRequest["question"]): Promise<unknown[]> {
    const id = this.#newId();
    const lines: unknown[] = [];
    const problem = await new Promise<string | null>((resolve) => {
      const send = (message: unknown): boolean => {
        const line = message as AskedLine;
        if (line.kind === "line") lines.push(line.line);
        if (line.kind === "dropped") resolve(`${line.count} lines of its answer were lost`);
        if (line.kind === "end") resolve(line.problem);
        return true;
      };
      this.#begin(id, { question, machines: [machine] }, { send, close: () => this.#left(id) });
    });
    if (problem !== null) throw new Refusal(503, `${machine}: ${problem}`);
    return lines;
  }

  /** What the controller itself wants to hear of one machine again and again; returns what ends it. */
  follow(question: AskRequest["question"], machine: string, sink: AskSink): () => void {
    const id = this.#nextId();
    this.#following.add(id);
    this.#begin(id, { question, machines: [machine] }, sink);
    return () => this.#left(id);
  }

  #newId(): string {
    if (this.#open.size - this.#following.size >= limits.asksOpenMax)
      throw new Refusal(
        429,
        `${limits.asksOpenMax} questions are open already (asksOpenMax)`,
        "Try again in a moment",
      );
    return this.#nextId();
  }

  #nextId(): string {
    return `${this.options.owner}/${this.options.clock.wallMs()}-${++this.#count}`;
  }

  #begin(id: string, { question, machines }: AskRequest, stream: AskSink): void {
    const { clock, connected } = this.options;
    const asked = machines ?? connected();
    const open: OpenAsk = { id, stream, waiting: new Set(asked), late: null };
    this.#open.set(id, open);
    for (const machine of asked)
      if (!this.options.tell(machine, { kind: "ask", ask: id, question }))
        this.#end(open, machine, "it is not connected to the controller");
    const lateMs = question.what === "report" ? limits.askReportMs : limits.askAnswerMs;
    if (!follows(question)) open.late = clock.after(lateMs, () => this.#endLate(open), true);
    this.#closeWhenDone(open);
  }

  /** The controller that asked. */
  ownerOf(ask: string): string {
    return ask.slice(0, ask.indexOf("/"));
  }

  /** False: nobody waits for it. */
  answered(machine: string, { ask, lines, dropped, end }: AskAnswer): boolean {
    const open = this.#open.get(ask);
    if (open === undefined || !open.waiting.has(machine)) return false;
    const send = (line: AskedLine): boolean => open.stream.send(line);
    if (dropped > 0) send({ kind: "dropped", machine, count: dropped });
    for (const line of lines) if (!send({ kind: "line", machine, line })) return false;
    if (end !== null) this.#end(open, machine, end.problem);
    this.#closeWhenDone(open);
    return true;
  }

  /** A machine's connection ended: it will not answer. */
  disconnected(machine: string): void {
    for (const open of [...this.#open.values()]) {
      if (!open.waiting.has(machine)) continue;
      this.#end(open, machine, "its connection to the controller ended");
      this.#closeWhenDone(open);
    }
  }

  #endLate(open: OpenAsk): void {
    const problem = `it did not answer within ${limits.askAnswerMs / 1000} s (askAnswerMs)`;
    for (const machine of [...open.waiting]) {
      this.options.tell(machine, { kind: "cancel", ask: open.id });
      this.#end(open, machine, problem);
    }
    this.#closeWhenDone(open);
  }

  #end(open: OpenAsk, machine: string, problem: string | null): void {
    open.waiting.delete(machine);
    open.stream.send({ kind: "end", machine, problem } satisfies AskedLine);
  }

  #closeWhenDone(open: OpenAsk): void {
    if (open.waiting.size === 0) open.stream.close();
  }

  /** The stream is over, whoever ended it. */
  #left(id: string): void {
    const open = this.#open.get(id);
    if (open === undefined) return;
    this.#open.delete(id);
    this.#following.delete(id);
    open.late?.cancel();
    for (const machine of open.waiting) this.options.tell(machine, { kind: "cancel", ask: id });
  }
}

/** Whether its answer goes on until whoever asked leaves. */
function follows(question: AskRequest["question"]): boolean {
  if (question.what === "metrics") return question.everyMs !== null;
  return ["tap", "record", "policy-log", "traffic"].includes(question.what);
}
