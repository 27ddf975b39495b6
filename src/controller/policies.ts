/**
 * Policies as documents use them: sources in, checked bundles out, options checked by the policy's own schema. All of it
 * happens in sealed processes; nothing of a policy runs here.
 */
import type { Runtime } from "../../runtime/contract.ts";
import { limits } from "../model/limits.ts";
import type { PolicyRef } from "../model/snapshot.ts";
import { bundlePolicy, type BundleAnswer, type PolicySource } from "../policy/bundle.ts";
import { createPolicyHost, type PolicyHost } from "../policy/policy_host.ts";
import { compileSealed } from "../policy/sealed_compiler.ts";
import { shippedPolicies } from "../policy/shipped.ts";
import type { StoredPolicy } from "./catalog.ts";
import type { OptionsAnswer, PolicyBundler } from "./policy_uses.ts";

export function createPolicyBundler(runtime: Runtime): PolicyBundler {
  const report = (sentence: string): void => runtime.process.stderr(`controller: ${sentence}\n`);
  const checker = new OptionsChecker(runtime, report);
  const known = new Map<string, BundleAnswer>();

  /** Sources that were bundled before are not again. */
  const bundleOnce = async (entry: string, sources: readonly PolicySource[]): Promise<BundleAnswer> => {
    const key = JSON.stringify([entry, sources]);
    const before = known.get(key);
    if (before !== undefined) return before;
    const unsealed = (why: string): void => report(`The compiler of policies is not sealed: ${why}`);
    const answer = await bundlePolicy(entry, sources, (options) =>
      compileSealed({ process: runtime.process, clock: runtime.clock, unsealed }, options),
    );
    if (known.size >= limits.policySourcesMax) known.clear();
    known.set(key, answer);
    return answer;
  };

  return {
    async bundle(files) {
      const given = new Set(files.map((each) => each.file));
      const sources = [...files, ...shippedPolicies.filter((each) => !given.has(each.file))];
      const entries = sources.filter((each) => isEntry(each.text));
      const answers = await Promise.all(
        entries.map((entry) => bundleOnce(entry.file, given.has(entry.file) ? files : [entry])),
      );
      const policies = answers.flatMap(({ bundle }): StoredPolicy[] =>
        bundle === null ? [] : [{ ...bundle.meta, hash: bundle.hash, text: bundle.text }],
      );
      return { policies, issues: answers.flatMap((answer) => answer.issues) };
    },
    check: (policy, options) => checker.check(policy, options),
  };
}

/** A file that defines a policy, as opposed to one that policies import. */
function isEntry(text: string): boolean {
  return /^export\s+(default\b|\{[^}]*\bas\s+default\b)/m.test(text) && text.includes("definePolicy");
}

/** A policy host for checks, which goes when nothing was asked for a while. */
class OptionsChecker {
  #host: PolicyHost | null = null;
  #asked = 0;

  constructor(
    private readonly runtime: Runtime,
    private readonly report: (sentence: string) => void,
  ) {}

  async check(policy: StoredPolicy, options: Readonly<Record<string, unknown>>): Promise<OptionsAnswer> {
    const { clock, process, random } = this.runtime;
    this.#host ??= createPolicyHost({ process, clock, random, report: this.report });
    const host = this.#host;
    const asked = ++this.#asked;
    host.load(refOf(policy), policy.text);
    const { issues } = await host.check(policy.hash, options);
    clock.after(limits.policyCheckerIdleMs, () => this.#closeUnlessAsked(asked), true);
    return { issues };
  }

  #closeUnlessAsked(asked: number): void {
    if (this.#asked !== asked) return;
    this.#host?.close();
    this.#host = null;
  }
}

function refOf({ hash, name, version, onError, cpuMs }: StoredPolicy): PolicyRef {
  return { hash, name, version, onError, cpuMs };
}
