/**
 * Policies as documents use them: sources in, checked bundles out, options checked by the policy's own schema. All of it
 * happens in sealed processes; nothing of a policy runs here.
 */
import { createHash } from "node:crypto";
import type { Runtime } from "../../runtime/contract.ts";
import { limits } from "../model/limits.ts";
import type { PolicyRef } from "../model/snapshot.ts";
import type { BundleAnswer, PolicyScript } from "../policy/bundle.ts";
import { OneAtATime } from "../policy/one_at_a_time.ts";
import { createPolicyHost, type PolicyHost } from "../policy/policy_host.ts";
import { policyIssue, type PolicySource } from "../policy/policy_source.ts";
import { compileSealed } from "../policy/sealed_compiler.ts";
import { shippedPolicies } from "../policy/shipped.ts";
import { logAs } from "../telemetry/log_line.ts";
import type { StoredPolicy } from "./catalog.ts";
import type { OptionsAnswer, PolicyBundler } from "./policy_uses.ts";

/** `close` ends the process that checks options; without it, it ends when nothing was asked for a while. */
export function createPolicyBundler(runtime: Runtime): PolicyBundler & { close(): void } {
  const report = logAs(runtime.process, "controller");
  const checker = new OptionsChecker(runtime, report);
  const compiler = new Compiler(runtime, report);
  return {
    shipped: [...shippedPolicies.keys()],
    async bundle(files, used) {
      const given = new Set(files.map((each) => each.file));
      const wanted = [...shippedPolicies].filter(([name, { file }]) => used.has(name) && !given.has(file));
      const shipped = wanted.map(([, source]) => source);
      const pushes = shipped.length === 0 ? [files] : [files, shipped];
      const answers = await Promise.all(pushes.map((push) => compiler.compile(push)));
      // A given policy takes the place of one of its name that ships.
      const policies = new Map<string, StoredPolicy>();
      for (const [at, { scripts }] of answers.entries()) {
        for (const script of scripts) {
          const { name } = script.meta;
          if (!policies.has(name)) policies.set(name, { ...storedPolicy(script), shipped: at > 0 });
        }
      }
      return { policies: [...policies.values()], issues: answers.flatMap((answer) => answer.issues) };
    },
    check: (policy, options) => checker.check(policy, options),
    close: () => checker.close(),
  };
}

function storedPolicy({ text, meta }: PolicyScript): StoredPolicy {
  const hash = createHash("sha256").update(text).digest("hex");
  return { ...meta, hash, text };
}

/** Compiles pushes one after the other, and none again that was compiled before. */
class Compiler {
  readonly #queue = new OneAtATime(limits.policyBundlingsMax);
  readonly #known = new Map<string, BundleAnswer>();
  /** Of all scripts among them. */
  #length = 0;

  constructor(
    private readonly runtime: Runtime,
    private readonly report: (sentence: string) => void,
  ) {}

  async compile(sources: readonly PolicySource[]): Promise<BundleAnswer> {
    const [first] = sources;
    if (first === undefined) return { scripts: [], issues: [] };
    const key = createHash("sha256").update(JSON.stringify(sources)).digest("hex");
    const before = this.#known.get(key);
    if (before !== undefined) return before;
    const { process, clock } = this.runtime;
    const unsealed = (why: string): void => this.report(`The compiler of policies is not sealed: ${why}`);
    const answer = await this.#queue.run(() => compileSealed({ process, clock, unsealed }, sources));
    if (answer === null) return { scripts: [], issues: [policyIssue(first.file, 1, 1, busy)] };
    if (!answer.failed) this.#keep(key, answer);
    return answer;
  }

  #keep(key: string, answer: BundleAnswer): void {
    const length = answer.scripts.reduce((sum, { text }) => sum + text.length, 0);
    if (this.#known.size >= limits.policySourcesMax || this.#length + length > limits.policyKnownBytesMax) {
      this.#known.clear();
      this.#length = 0;
    }
    this.#known.set(key, answer);
    this.#length += length;
  }
}

const busy = `Cannot compile it now: ${limits.policyBundlingsMax} pushes wait for the compiler, try again later`;

/** A policy host for checks, which goes when nothing was asked for a while. */
class OptionsChecker {
  #host: PolicyHost | null = null;
  #asked = 0;
  /** How many checks are under way of each bundle. */
  readonly #open = new Map<string, number>();

  constructor(
    private readonly runtime: Runtime,
    private readonly report: (sentence: string) => void,
  ) {}

  async check(policy: StoredPolicy, options: Readonly<Record<string, unknown>>): Promise<OptionsAnswer> {
    const { clock, process, random } = this.runtime;
    this.#host ??= createPolicyHost({ process, clock, random, report: this.report });
    const host = this.#host;
    const asked = ++this.#asked;
    const { hash } = policy;
    this.#open.set(hash, (this.#open.get(hash) ?? 0) + 1);
    if (host.refOf(hash) === null) this.#makeRoom(host);
    host.load(refOf(policy), policy.text);
    const { issues } = await host.check(hash, options);
    const left = (this.#open.get(hash) ?? 1) - 1;
    if (left > 0) this.#open.set(hash, left);
    else this.#open.delete(hash);
    clock.after(limits.policyCheckerIdleMs, () => this.#closeUnlessAsked(asked), true);
    return { issues };
  }

  /** For one more: those that were asked before, and are not any more, go when there are many. */
  #makeRoom(host: PolicyHost): void {
    if (host.status().policies.length < limits.policyProcessesMax) return;
    host.retain(new Set(this.#open.keys()));
  }

  #closeUnlessAsked(asked: number): void {
    if (this.#asked === asked) this.close();
  }

  close(): void {
    this.#host?.close();
    this.#host = null;
  }
}

function refOf({ text: _text, ...ref }: StoredPolicy): PolicyRef {
  return ref;
}
