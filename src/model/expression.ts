/**
 * Regular expressions of documents, matched in linear time whatever the text: a set of states steps over it once, so no
 * expression can be made to run long. The syntax is JavaScript's without what cannot be matched so: look-around and
 * back-references. It tells whether a text contains a match; `^` and `$` tie it to the ends.
 */
import { parseExpression, type Part, type PartSet } from "./expression_syntax.ts";
import { limits } from "./limits.ts";

/** Every code unit above latin1 is one more symbol, which only `.` and negated sets contain. */
const symbolCount = 257;
const foreignSymbol = 256;

type Step =
  | { readonly kind: "symbol"; readonly set: PartSet; to: number }
  | { readonly kind: "either"; readonly to: number[] }
  | { readonly kind: "start" | "end"; to: number }
  | { readonly kind: "match" };

/** One set of steps the text may be at. `next` is filled as texts need it. */
interface State {
  readonly next: Int16Array;
  readonly steps: readonly number[];
  readonly matched: boolean;
  readonly matchedAtEnd: boolean;
}

export type ExpressionResult =
  { readonly ok: true; readonly expression: Expression } | { readonly ok: false; readonly problem: string };

/** Compiles, or says in words what is not allowed. */
export function compileExpression(text: string): ExpressionResult {
  const parsed = parseExpression(text);
  if (!parsed.ok) return parsed;
  const steps: Step[] = [{ kind: "match" }];
  const first = addPart(steps, parsed.value, 0);
  return first < 0
    ? { ok: false, problem: `it repeats too much: more than ${limits.expressionStepsMax} steps` }
    : { ok: true, expression: new Expression(steps, first) };
}

export class Expression {
  #states: State[] = [];
  readonly #numbers = new Map<string, number>();

  constructor(
    readonly steps: readonly Step[],
    readonly first: number,
  ) {}

  /** Whether the text contains a match. */
  test(text: string): boolean {
    if (this.#states.length === 0) this.#stateOf(this.#closure([this.first], true));
    let number = 0;
    for (let at = 0; at < text.length; at++) {
      const state = this.#states[number] as State;
      if (state.matched) return true;
      const code = text.charCodeAt(at);
      const symbol = code < foreignSymbol ? code : foreignSymbol;
      const known = state.next[symbol] as number;
      number = known >= 0 ? known : this.#step(state, symbol);
    }
    const last = this.#states[number] as State;
    return last.matched || last.matchedAtEnd;
  }

  #step(from: State, symbol: number): number {
    const reached: number[] = [this.first];
    for (const index of from.steps) {
      const step = this.steps[index] as Step;
      if (step.kind === "symbol" && step.set.has(symbol)) reached.push(step.to);
    }
    const closed = this.#closure(reached, false);
    const known = this.#numbers.get(closed.join());
    if (known === undefined && this.#states.length >= limits.expressionStatesMax) this.#forget();
    const number = known ?? this.#stateOf(closed);
    from.next[symbol] = number;
    return number;
  }

  /** Too many states are kept: start again with the first one. The text under way goes on from its own state. */
  #forget(): void {
    const first = this.#states[0] as State;
    this.#states = [];
    this.#numbers.clear();
    this.#stateOf(first.steps);
  }

  #stateOf(steps: readonly number[]): number {
    // The first state stands at the start of the text; the same steps later on are another state.
    const number = this.#states.length;
    const atEnd = this.#closure(steps, number === 0, true);
    this.#states.push({
      next: new Int16Array(symbolCount).fill(-1),
      steps,
      matched: steps.includes(0),
      matchedAtEnd: atEnd.includes(0),
    });
    if (number > 0) this.#numbers.set(steps.join(), number);
    return number;
  }

  /** All steps reachable without a symbol, sorted. */
  #closure(from: readonly number[], atStart: boolean, atEnd = false): number[] {
    const seen = new Set<number>();
    const open = [...from];
    for (let index = open.pop(); index !== undefined; index = open.pop()) {
      if (seen.has(index)) continue;
      seen.add(index);
      const step = this.steps[index] as Step;
      if (step.kind === "either") open.push(...step.to);
      else if ((step.kind === "start" && atStart) || (step.kind === "end" && atEnd)) open.push(step.to);
    }
    return [...seen].sort((a, b) => a - b);
  }
}

/** Adds the steps of a part before step `to`, and returns its first one; -1 when they are too many. */
function addPart(steps: Step[], part: Part, to: number): number {
  if (to < 0 || steps.length > limits.expressionStepsMax) return -1;
  switch (part.kind) {
    case "symbol":
      return steps.push({ kind: "symbol", set: part.set, to }) - 1;
    case "start":
    case "end":
      return steps.push({ kind: part.kind, to }) - 1;
    case "sequence":
      return part.parts.reduceRight((next, each) => addPart(steps, each, next), to);
    case "choice": {
      const ways = part.parts.map((each) => addPart(steps, each, to));
      return ways.includes(-1) ? -1 : steps.push({ kind: "either", to: ways }) - 1;
    }
    case "repeat":
      return addRepeat(steps, part, to);
  }
}

function addRepeat(steps: Step[], part: Extract<Part, { kind: "repeat" }>, to: number): number {
  let next = to;
  if (part.max === null) {
    const loop = steps.push({ kind: "either", to: [to] }) - 1;
    const body = addPart(steps, part.part, loop);
    if (body < 0) return -1;
    (steps[loop] as Extract<Step, { kind: "either" }>).to.push(body);
    next = loop;
  } else {
    for (let count = part.min; count < part.max && next >= 0; count++) {
      const body = addPart(steps, part.part, next);
      if (body < 0) return -1;
      next = steps.push({ kind: "either", to: [body, to] }) - 1;
    }
  }
  for (let count = 0; count < part.min && next >= 0; count++) next = addPart(steps, part.part, next);
  return next;
}
