/**
 * Compiles a push in a sealed process that lives for one answer: the only place where text of authors is read. It has a bound
 * of processor time, of memory, and far above of time; whatever it does or says beyond is an issue of this push alone.
 */
import { problemOf } from "../base/result.ts";
import * as v from "valibot";
import { limits } from "../model/limits.ts";
import type { Child, Clock, ProcessHost, Timer } from "../../runtime/contract.ts";
import type { BundleAnswer } from "./bundle.ts";
import { CompilerAnswer } from "./compiler_answer.ts";
import { policyHostEnvironment } from "./host_environment.ts";
import { policyIssue, pushIssues, type PolicyIssue, type PolicySource } from "./policy_source.ts";
import { FrameChannel, frameKinds } from "./protocol.ts";

export interface SealedCompilerOptions {
  readonly process: Pick<ProcessHost, "spawn" | "self" | "residentBytesOf" | "processorMsOf">;
  readonly clock: Clock;
  /** Told when the process could not be sealed, and why. */
  readonly unsealed: (why: string) => void;
}

export interface CompileAnswer extends BundleAnswer {
  /** The compiler itself failed: the same push may fare better later. */
  readonly failed: boolean;
}

export function compileSealed(
  options: SealedCompilerOptions,
  sources: readonly PolicySource[],
): Promise<CompileAnswer> {
  const push = JSON.stringify(sources);
  const issues = [...pushIssues(sources), ...frameIssues(sources, push)];
  if (issues.length > 0) return Promise.resolve({ scripts: [], issues, failed: false });
  return new Promise<CompileAnswer>((resolve) => void new Compiling(options, sources, push, resolve)).catch(
    (error) => failedAt(sources[0]?.file ?? "", problemOf(error)),
  );
}

function failedAt(file: string, reason: string): CompileAnswer {
  const message = `Cannot compile it: ${reason}`.slice(0, limits.policyIssueLengthMax);
  return { scripts: [], issues: [policyIssue(file, 1, 1, message)], failed: true };
}

/** What is full of characters that are sent escaped, or as several bytes, may be too long for one frame. */
function frameIssues([first]: readonly PolicySource[], push: string): PolicyIssue[] {
  const { length } = new TextEncoder().encode(push);
  if (first === undefined || length <= limits.policyFrameBytesMax) return [];
  const message = `The sources are sent as ${length} bytes, more than ${limits.policyFrameBytesMax}`;
  return [policyIssue(first.file, 1, 1, message)];
}

const readySchema = v.strictObject({
  sealed: v.boolean(),
  why: v.nullable(v.pipe(v.string(), v.maxLength(limits.policyFieldLengthMax))),
});

class Compiling {
  readonly #answer: CompilerAnswer;
  readonly #child: Child;
  readonly #channel: FrameChannel;
  readonly #startedMs: number;
  #timer: Timer | null = null;
  #done = false;
  #said = "";

  constructor(
    private readonly options: SealedCompilerOptions,
    sources: readonly PolicySource[],
    push: string,
    private readonly resolve: (answer: CompileAnswer) => void,
  ) {
    const { process, clock } = options;
    this.#answer = new CompilerAnswer(sources);
    this.#startedMs = clock.now();
    this.#child = process.spawn({
      command: [...process.self, "policy-host", "bundler"],
      env: policyHostEnvironment,
      channel: true,
      output: (text) => (this.#said = (this.#said + text).slice(-limits.policyReasonLengthMax)),
      exited: (code, signal) => this.#fail(`it ended with ${signal ?? code}${this.#told()}`),
    });
    this.#channel = new FrameChannel((handler) => this.#child.channel(handler), clock, {
      frame: (kind, first, _second, text) => this.#frame(kind, first, text),
      gone: (reason) => this.#fail(reason),
    });
    this.#channel.send(frameKinds.bundle, 0, 1, push);
    this.#watch();
  }

  #frame(kind: number, number: number, text: string): void {
    if (this.#done) return;
    try {
      if (kind === frameKinds.ready) return this.#ready(v.parse(readySchema, JSON.parse(text)));
      const answer = this.#answer.take(kind, number, text);
      if (answer !== null) this.#finish({ ...answer, failed: false });
    } catch (error) {
      this.#fail(`its answer cannot be read: ${problemOf(error)}`);
    }
  }

  #ready({ sealed, why }: v.InferOutput<typeof readySchema>): void {
    if (!sealed) this.options.unsealed(why ?? "it does not say why");
  }

  #watch(): void {
    if (this.#done) return;
    const { process, clock } = this.options;
    const { pid } = this.#child;
    if ((process.processorMsOf(pid) ?? 0) > limits.policyBundleMs)
      return this.#fail(`it took more than ${limits.policyBundleMs} ms of processor time`);
    if (clock.now() - this.#startedMs > limits.policyBundleWallMs)
      return this.#fail(`it took longer than ${limits.policyBundleWallMs} ms`);
    if ((process.residentBytesOf(pid) ?? 0) > limits.policyCompilerBytesMax)
      return this.#fail(`it took more than ${limits.policyCompilerBytesMax >> 20} MiB of memory`);
    this.#timer = clock.after(limits.policyHostWatchMs, () => this.#watch());
  }

  #told(): string {
    const said = this.#said.trim();
    return said === "" ? "" : `: ${said}`;
  }

  #fail(reason: string): void {
    this.#finish(failedAt(this.#answer.file, reason));
  }

  #finish(answer: CompileAnswer): void {
    if (this.#done) return;
    this.#done = true;
    this.#timer?.cancel();
    this.#channel.destroy();
    this.#child.kill("SIGKILL");
    this.resolve(answer);
  }
}
