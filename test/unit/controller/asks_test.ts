/** Questions of operators on their way to machines and back. */
import { describe, expect, test } from "bun:test";
import type { AskAnswer, AskedLine, AskLine } from "../../../src/api/questions.ts";
import { Answers } from "../../../src/app/answers.ts";
import { expositionAnswering, metricsAnswering } from "../../../src/app/metrics_answer.ts";
import { Asks } from "../../../src/controller/asks.ts";
import { limits } from "../../../src/model/limits.ts";
import { Metrics } from "../../../src/telemetry/metrics.ts";
import { counter } from "../../../src/telemetry/families.ts";
import { ManualClock } from "../../support/clock.ts";
import { until as untilSo } from "../../support/sockets.ts";

/** A controller's half, with machines that write down what they are told. */
class Asking {
  readonly clock = new ManualClock();
  readonly told: [string, AskLine][] = [];
  readonly machines = new Set(["vm-1", "vm-2"]);
  readonly asks = new Asks({
    owner: "vm-own",
    clock: this.clock,
    connected: () => [...this.machines],
    tell: (machine, line) => {
      if (!this.machines.has(machine)) return false;
      this.told.push([machine, line]);
      return true;
    },
  });

  ask(everyMs: number | null, machines: readonly string[] | null = null): Heard {
    const question = { what: "metrics" as const, names: ["a"], everyMs };
    return new Heard(this.asks.ask({ question, machines: machines === null ? null : [...machines] }));
  }

  get id(): string {
    return (this.told.at(-1) as [string, AskLine])[1].ask;
  }

  answer(machine: string, lines: unknown[], end: AskAnswer["end"] = null, dropped = 0): boolean {
    return this.asks.answered(machine, { ask: this.id, lines, dropped, end });
  }
}

/** What an operator's stream said. */
class Heard {
  readonly lines: AskedLine[] = [];
  over = false;
  readonly #reader: ReturnType<typeof readerOf>;

  constructor(response: Response) {
    this.#reader = readerOf(response);
    void this.#read();
  }

  leave(): Promise<void> {
    return this.#reader.cancel();
  }

  async #read(): Promise<void> {
    for (;;) {
      const { done, value } = await this.#reader.read();
      if (done) break;
      for (const line of new TextDecoder().decode(value).trim().split("\n"))
        this.lines.push(JSON.parse(line));
    }
    this.over = true;
  }
}

function readerOf(response: Response) {
  return (response.body as ReadableStream<Uint8Array>).getReader();
}

function until(check: () => boolean): Promise<void> {
  return untilSo(check, "it is so");
}

const whole = { problem: null };

describe("a question", () => {
  test("goes to every machine that is connected, and is over when each has answered", async () => {
    const asking = new Asking();
    const heard = asking.ask(null);
    expect(asking.told.map(([machine, { kind }]) => [machine, kind])).toEqual([
      ["vm-1", "ask"],
      ["vm-2", "ask"],
    ]);
    expect(asking.answer("vm-1", [1, 2], whole)).toBe(true);
    expect(asking.answer("vm-2", [3])).toBe(true);
    expect(asking.answer("vm-2", [], whole, 7)).toBe(true);
    await until(() => heard.over);
    expect(heard.lines).toEqual([
      { kind: "line", machine: "vm-1", line: 1 },
      { kind: "line", machine: "vm-1", line: 2 },
      { kind: "end", machine: "vm-1", problem: null },
      { kind: "line", machine: "vm-2", line: 3 },
      { kind: "dropped", machine: "vm-2", count: 7 },
      { kind: "end", machine: "vm-2", problem: null },
    ]);
    expect(asking.answer("vm-2", [4])).toBe(false);
  });

  test("to a machine that is not connected, or that goes, ends with the reason", async () => {
    const asking = new Asking();
    const heard = asking.ask(null, ["vm-1", "vm-9"]);
    asking.asks.disconnected("vm-1");
    await until(() => heard.over);
    expect(heard.lines).toEqual([
      { kind: "end", machine: "vm-9", problem: "it is not connected to the controller" },
      { kind: "end", machine: "vm-1", problem: "its connection to the controller ended" },
    ]);
  });

  test("that is not answered in time ends, and the machine is told that nobody waits", async () => {
    const asking = new Asking();
    const heard = asking.ask(null, ["vm-1"]);
    await asking.clock.advance(limits.askAnswerMs);
    await until(() => heard.over);
    expect(heard.lines.at(-1)).toMatchObject({ kind: "end", machine: "vm-1" });
    expect(asking.told.at(-1)).toEqual(["vm-1", { kind: "cancel", ask: asking.id }]);
    expect(asking.answer("vm-1", [1])).toBe(false);
  });

  test("that is asked again and again goes on until whoever asked leaves, and is then called off", async () => {
    const asking = new Asking();
    const heard = asking.ask(1_000, ["vm-1"]);
    await asking.clock.advance(limits.askAnswerMs * 3);
    expect(asking.answer("vm-1", [1])).toBe(true);
    await heard.leave();
    expect(asking.told.at(-1)).toEqual(["vm-1", { kind: "cancel", ask: asking.id }]);
    expect(asking.answer("vm-1", [2])).toBe(false);
  });

  test("is answered by the machines that it was put to alone", () => {
    const asking = new Asking();
    asking.ask(null, ["vm-1"]);
    expect(asking.answer("vm-2", ["forged"])).toBe(false);
  });

  test("is refused while too many are open", () => {
    const asking = new Asking();
    for (let count = 0; count < limits.asksOpenMax; count++) asking.ask(null);
    expect(() => asking.ask(null)).toThrow("asksOpenMax");
  });
});

describe("a proxy that is asked", () => {
  const started = (send: (answer: AskAnswer) => Promise<void>) => {
    const clock = new ManualClock();
    const metrics = new Metrics();
    const control = {
      call: async (_method: string, _path: string, body: unknown) => {
        await send(body as AskAnswer);
        return { status: 200, body: {} };
      },
    };
    const answers = new Answers(control, {
      metrics: metricsAnswering(metrics, clock),
      exposition: expositionAnswering(metrics),
      request: (_, reply) => reply.end(),
      tap: (_, reply) => reply.end(),
      record: (_, reply) => reply.end(),
      "policy-log": (_, reply) => reply.end(),
      traffic: (_, reply) => reply.end(),
      decide: (_, reply) => reply.end(),
      report: (_, reply) => reply.end(),
      "under-way": (_, reply) => reply.end(),
    });
    return { clock, metrics, answers };
  };
  const question = (everyMs: number | null) => ({ what: "metrics" as const, names: ["hits_total"], everyMs });

  test("says what it counted, with labels as they were before they were escaped", async () => {
    const sent: AskAnswer[] = [];
    const { answers, metrics } = started(async (answer) => void sent.push(answer));
    metrics
      .counter(counter("hits_total", "Hits.", ["of"]))('a "b"\n\\c')
      .add(3);
    metrics.counter(counter("misses_total", "Misses."))().add(1);
    answers.take({ kind: "ask", ask: "1", question: question(null) });
    await until(() => sent.at(-1)?.end !== null && sent.length > 0);
    expect(sent.flatMap(({ lines }) => lines)).toEqual([
      { atMs: 0, series: [{ name: "hits_total", labels: { of: 'a "b"\n\\c' }, value: 3 }] },
    ]);
    expect(sent.at(-1)?.end).toEqual({ problem: null });
  });

  test("goes on until it is told that nobody waits, or nobody takes its answers", async () => {
    const sent: AskAnswer[] = [];
    let there = true;
    const { answers, clock } = started(async (answer) => {
      if (!there) throw new Error("away");
      sent.push(answer);
    });
    answers.take({ kind: "ask", ask: "1", question: question(1_000) });
    await clock.advance(3_000);
    await until(() => sent.flatMap(({ lines }) => lines).length === 4);
    answers.take({ kind: "cancel", ask: "1" });
    expect(clock.waiting).toBe(0);
    answers.take({ kind: "ask", ask: "2", question: question(1_000) });
    there = false;
    await clock.advance(1_000);
    await until(() => clock.waiting === 0);
  });

  test("drops what comes faster than it can be sent, and says how much", async () => {
    const sent: AskAnswer[] = [];
    let release = (): void => {};
    const { answers, clock } = started(async (answer) => {
      sent.push(answer);
      if (sent.length === 1) await new Promise<void>((done) => (release = done));
    });
    answers.take({ kind: "ask", ask: "1", question: question(500) });
    await clock.advance(500 * (limits.answerLinesMax + 5));
    release();
    await until(() => sent.length === 2);
    expect(sent[1]).toMatchObject({ dropped: 5 });
    expect(sent[1]?.lines.length).toBe(limits.answerLinesMax);
  });

  test("says so when it does not know the question", async () => {
    const sent: AskAnswer[] = [];
    const { answers } = started(async (answer) => void sent.push(answer));
    answers.take({ kind: "ask", ask: "1", question: { what: "tomorrow" } as never });
    await until(() => sent.length === 1);
    expect(sent[0]?.end?.problem).toBe("this version of heddle does not know the question tomorrow");
  });
});
