/** A policy host of the compiled binary under test, and questions to it. */
import type { Runtime } from "../../runtime/contract.ts";
import type { PolicyBinding, PolicyRef } from "../../src/model/snapshot.ts";
import type { PolicyAnswer, PolicyCall } from "../../src/policy/policy_call.ts";
import { createPolicyHost, type PolicyHost } from "../../src/policy/policy_host.ts";
import type { PolicyProcessStatus } from "../../src/policy/process_status.ts";
import { Metrics } from "../../src/telemetry/metrics.ts";
import { policyCpu } from "../../src/telemetry/policy_telemetry.ts";
import { HeadFields } from "../../src/wire/head_fields.ts";

export interface TestHost {
  readonly host: PolicyHost;
  /** What an operator would have read. */
  readonly reports: string[];
  readonly metrics: Metrics;
  add(hash: string, script: string, ref?: Partial<PolicyRef>): void;
  ask(
    hash: string,
    method?: string,
    options?: Readonly<Record<string, unknown>>,
    more?: Partial<PolicyCall>,
  ): Promise<PolicyAnswer & { readonly ms: number }>;
  /** The process of the policies of this name. */
  processOf(name: string): PolicyProcessStatus;
}

const noOptions = {};

export function startTestHost(runtime: Runtime, binary: string): TestHost {
  const reports: string[] = [];
  const { clock, random } = runtime;
  const metrics = new Metrics();
  const host = createPolicyHost({
    cpuCounter: policyCpu(metrics),
    process: { ...runtime.process, self: [binary] },
    clock,
    random,
    report: (sentence) => void reports.push(sentence),
  });
  const bindings = new Map<string, PolicyBinding>();
  const bindingOf = (hash: string, options: PolicyBinding["options"]): PolicyBinding => {
    const before = bindings.get(hash);
    const binding = before?.options === options ? before : { hash, name: hash, options };
    bindings.set(hash, binding);
    return binding;
  };
  return {
    host,
    reports,
    metrics,
    add(hash, script, ref = {}) {
      const standard = {
        hash,
        name: hash,
        version: "1.0.0",
        onError: "closed",
        cpuMs: 2,
      } as const;
      host.load({ ...standard, ...ref }, script);
    },
    processOf(name) {
      const found = host.status().processes.find((each) => each.name === `policy "${name}"`);
      if (found === undefined) throw new Error(`There is no process for ${name}`);
      return found;
    },
    ask(hash, method = "GET", options = noOptions, more = {}) {
      const started = performance.now();
      const call: PolicyCall = {
        hook: "onRequest",
        method,
        authority: "cart.mesh",
        target: "/",
        fields: new HeadFields(),
        sourceId: "",
        service: { name: "cart", namespace: "default" },
        requestId: "1",
        ...more,
      };
      return new Promise((resolve) => {
        host.evaluate(bindingOf(hash, options), call, (answer) =>
          resolve({ ...answer, ms: performance.now() - started }),
        );
      });
    },
  };
}

/** Asks the policy "friendly" again and again until that is over: why it failed, and how often it answered. Throws what that throws. */
export async function friendlyBeside(
  there: TestHost,
  asked: Promise<void>,
): Promise<{ readonly failed: readonly string[]; readonly answered: number }> {
  let over = false;
  const ends = asked.finally(() => (over = true));
  // It is told of below; until then nobody waits for it.
  ends.catch(() => {});
  const failed: string[] = [];
  let answered = 0;
  while (!over) {
    const answer = await there.ask("friendly");
    if (answer.ok) answered++;
    else failed.push(answer.reason);
  }
  await ends;
  return { failed, answered };
}
