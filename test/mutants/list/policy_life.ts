/** Versions of policies that are tried, and recordings: what fails goes, and nothing secret is kept. */
import type { Mutant } from "../mutant.ts";

const trials = "src/policy/trials.ts";
const suites = ["test/unit/policy/trials_test.ts"];

export const policyLife: readonly Mutant[] = [
  {
    fault: "a version that fails goes on being asked",
    file: trials,
    find: "this.returned ??= verdictOf(this.reading);",
    replace: "this.returned ??= null;",
    suites,
  },
  {
    fault: "answers of 500 and more are no failures of the version that led there",
    file: trials,
    find: "const failed = status >= 500 ||",
    replace: "const failed =",
    suites,
  },
  {
    fault: "a shadow decides",
    file: trials,
    find: 'if (candidate.mode === "shadow" || trial?.returned !== null) return binding;',
    replace: "if (trial?.returned !== null) return binding;",
    suites,
  },
  {
    fault: "a trial that is over begins anew with a request of the snapshot before",
    file: trials,
    find: "if (same && (known.over || known.inForce === inForce)) return known.over ? null : known;",
    replace: "if (same && !known.over && known.inForce === inForce) return known;",
    suites,
  },
  {
    fault: "a version that is tried again is judged by what was counted before",
    file: "src/controller/policy_life.ts",
    find: "(startedMs ?? trial.startedMs) !== trial.startedMs",
    replace: "false",
    suites: ["test/unit/controller/policy_life_test.ts"],
  },
  {
    fault: "a version is judged by how long its first calls take",
    file: "src/policy/usual.ts",
    find: "if (tried && this.#warming > 0) this.#warming--;\n    else if",
    replace: "if",
    suites,
  },
  {
    fault: "a version is compared with what was counted of another one of its name",
    file: trials,
    find: "const key = `${name} ${hash}`;",
    replace: "const key = `${name} old`;",
    suites,
  },
  {
    fault: "a version is found guilty by its first failures, before anything is known of the one in force",
    file: "src/base/sequential_test.ts",
    find: "const unknown = 0.5;",
    replace: "const unknown = 0.001;",
    suites: ["test/unit/base/sequential_test_test.ts"],
  },
  {
    fault: "a bad hour of both versions returns the new one",
    file: "src/base/sequential_test.ts",
    find: "if (won < 1 / falseChances.alike && !alone) return false;",
    replace: "",
    suites: ["test/unit/base/sequential_test_test.ts"],
  },
  {
    fault: "a version is found guilty by its first failures, whatever the one in force does",
    file: "src/base/sequential_test.ts",
    find: "wonAgainst(now, before) >= 1 / falseChances.beside) return true;",
    replace: "wonAgainst(now, before) >= 2) return true;",
    suites: ["test/unit/base/sequential_test_test.ts"],
  },
  {
    fault: "two controllers overwrite what the other did to a policy",
    file: "src/controller/documents.ts",
    find: "[{ key: documentsMark, modified: mark }, ...conditions]",
    replace: "[{ key: documentsMark, modified: mark }]",
    suites: ["test/unit/controller/policy_life_test.ts"],
  },
  {
    fault: "the version that rollback leads to goes with the old ones",
    file: "src/controller/policy_versions.ts",
    find: "const kept = new Set(used);",
    replace: "const kept = new Set<string>();",
    suites: ["test/unit/controller/policy_life_test.ts"],
  },
  {
    fault: "a controller that is behind forgets the version before",
    file: "src/controller/policy_life.ts",
    find: "const version = parsed<StoredVersion>(entry);",
    replace: "const version = parsed<StoredVersion>(null);",
    suites: ["test/unit/controller/policy_life_test.ts"],
  },
  {
    fault: "after an upgrade there is no version before",
    file: "src/controller/policy_versions.ts",
    find: "history?.before === undefined ? former : kept",
    replace: "kept",
    suites: ["test/unit/controller/policy_life_test.ts"],
  },
  {
    fault: "why a version was returned is forgotten with the steps after it",
    file: "src/controller/policy_versions.ts",
    find: "!kept.has(hash) || events",
    replace: "true || events",
    suites: ["test/unit/controller/policy_life_test.ts"],
  },
  {
    fault: "a policy that an operator disabled is asked again after a rollback",
    file: "src/controller/policy_steps.ts",
    find: "inForce: inForce?.disabled === true ? { ...policy, disabled: true } : policy,",
    replace: "inForce: policy,",
    suites: ["test/unit/controller/policy_life_test.ts"],
  },
  {
    fault: "a version is taken for the one that was meant though several hashes begin so",
    file: "src/controller/policy_versions.ts",
    find: "only !== undefined && found.length === 1",
    replace: "only !== undefined",
    suites: ["test/unit/controller/policy_life_test.ts"],
  },
  {
    fault: "calls are replayed at the moment of the first of their batch",
    file: "src/policy/realm.ts",
    find: "moment.nowMs = moment.each[index] ?? moment.nowMs;",
    replace: "moment.nowMs = moment.each[0] ?? moment.nowMs;",
    suites: ["test/unit/app/replay_test.ts"],
  },
];
