/** The realm of a policy as its worker has it, without the walls. */
import { createContext, runInContext } from "node:vm";
import { bundlePolicies } from "../../src/policy/bundle.ts";
import type { PolicySource } from "../../src/policy/policy_source.ts";
import type { Realm } from "../../src/policy/realm.ts";
import { runtime } from "./runtime_under_test.ts";

/** Of the first policy that the sources define. */
export async function realmOf(...sources: PolicySource[]): Promise<Realm> {
  const { scripts, issues } = await bundlePolicies(sources, runtime.bundler);
  if (issues.length > 0) throw new Error(issues.map((each) => each.message).join("\n"));
  const context = createContext({});
  runInContext(scripts[0]?.text ?? "", context, { filename: "policy" });
  return runInContext("heddle", context) as Realm;
}

/** The answer to the one call of a batch. */
export async function answerOf(realm: Realm, call: readonly unknown[], nowMs = 0): Promise<unknown> {
  realm.take(JSON.stringify([nowMs, [call]]));
  let answer = realm.run(0);
  for (let turn = 0; answer === "" && turn < 20; turn++) {
    await Promise.resolve();
    answer = realm.settled(0);
  }
  return JSON.parse(answer);
}
