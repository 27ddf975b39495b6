/** Who may call what. */
import type { Mutant } from "../mutant.ts";

const file = "src/proxy/guard/access.ts";
const suites = ["test/unit/proxy/guard/access_test.ts"];

export const access: readonly Mutant[] = [
  {
    fault: "where nothing allows a caller, it may call",
    file,
    find: 'if (otherwise === "deny") return { verdict: "deny", rule: "default" };',
    replace: "",
    suites,
  },
  {
    fault: "a rule on trial lets callers in",
    file,
    find: 'if (rule.mode === "enforce" || otherwise === "allow") return verdictOf(would, rule.id);',
    replace: "return verdictOf(would, rule.id);",
    suites,
  },
  {
    fault: "allow comes before deny",
    file,
    find: 'if (rule.mode === "enforce") return { verdict: "deny", rule: rule.id };',
    replace: "",
    suites,
  },
  {
    fault: "a rule about methods denies no opaque connection",
    file,
    find: "!(opaque || ofRequest(rule, method, path))",
    replace: "!ofRequest(rule, method, path)",
    suites,
  },
  {
    fault: "a caller without an identity is one of the mesh",
    file,
    find: 'return sourceId !== "";',
    replace: "return true;",
    suites,
  },
  {
    fault: "an exact source fits what begins like it",
    file,
    find: "return sourceId === source.value;",
    replace: "return sourceId.startsWith(source.value);",
    suites,
  },
  {
    fault: "methods of a rule do not count",
    file,
    find: "if (rule.methods.length > 0 && !rule.methods.includes(method)) return false;",
    replace: "",
    suites,
  },
  {
    fault: "paths of a rule do not count",
    file,
    find: "if (rule.paths.length === 0) return true;",
    replace: "if (rule.paths.length >= 0) return true;",
    suites,
  },
  {
    fault: "a path below is taken for one beside",
    file: "src/proxy/fields/path_pattern.ts",
    find: "path.startsWith(pattern.slice(0, -1))",
    replace: "path.startsWith(pattern.slice(0, -2))",
    suites,
  },
  {
    fault: "a call that is denied reaches the app",
    file: "src/proxy/inbound.ts",
    find: 'if (verdict.verdict !== "deny") return true;',
    replace: "if (verdict !== null) return true;",
    suites: ["test/unit/proxy/pipeline_test.ts"],
  },
  {
    fault: "an upgrade that nobody named passes",
    file: "src/proxy/inbound.ts",
    find: "if (!passesUpgrade(upgrade, local.upgrades ?? [])) {",
    replace: "if (upgrade === null) {",
    suites: ["test/unit/proxy/upgrades_test.ts"],
  },
  {
    fault: "h2c passes where it is named",
    file: "src/http/upgrade.ts",
    find: "(protocol !== neverPassed && named.includes(protocol))",
    replace: "named.includes(protocol)",
    suites: ["test/unit/http/upgrade_test.ts"],
  },
];
