/** The processes that policies run in, and what they answer: nobody is hurt by a policy but who uses it. */
import type { Mutant } from "../mutant.ts";

const quarantine = "src/policy/quarantine.ts";
const policyProcess = "src/policy/policy_process.ts";
const callBatches = "src/policy/call_batches.ts";
const laterHooks = "src/policy/later_hooks.ts";
const table = ["test/golden/policy_hooks_test.ts"];
const processes = ["policy_process", "policy_processes", "policy_host"].map(
  (name) => `test/unit/policy/${name}_test.ts`,
);

const urls = ["test/unit/policy/url_test.ts"];

export const policyHost: readonly Mutant[] = [
  {
    fault: "a policy is asked however often it failed",
    file: quarantine,
    find: "this.#timesMs.length >= limits.policyTripsMax && this.putAside(nowMs)",
    replace: "this.#timesMs.length < 0 && this.putAside(nowMs)",
    suites: ["test/unit/policy/quarantine_test.ts"],
  },
  {
    fault: "failures of long ago count",
    file: quarantine,
    find: "nowMs - timeMs < limits.policyTripWindowMs",
    replace: "nowMs - timeMs >= 0",
    suites: ["test/unit/policy/quarantine_test.ts"],
  },
  {
    fault: "a policy on trial is asked by many",
    file: policyProcess,
    find: "if (quarantine.closed || (policy.tried && isNew)) return",
    replace: "if (quarantine.closed) return",
    suites: processes,
  },
  {
    fault: "a policy that broke the protocol is not suspected",
    file: policyProcess,
    find: "    this.#culprit = policy;\n",
    replace: "",
    suites: processes,
  },
  {
    fault: "a process that speaks before it is sealed is believed",
    file: policyProcess,
    find: 'if (this.#process.seal === null) return "it speaks before it is ready";',
    replace: "",
    suites: processes,
  },
  {
    fault: "calls beyond the inbox are taken",
    file: policyProcess,
    find: "if (this.#calls.isFull(share) || this.#process.isStuffed(share))",
    replace: "if (this.#process.isStuffed(share))",
    suites: processes,
  },
  {
    fault: "a call of a policy that fails open waits until it is loaded",
    file: policyProcess,
    find: 'policy.state !== "ready" && policy.ref.onError === "open"',
    replace: 'policy.state === "broken"',
    suites: processes,
  },
  {
    fault: "calls of a process that ended are never answered",
    file: policyProcess,
    find: "      this.#calls.failSent(policy, `its process ended: ${reason}`);\n",
    replace: "",
    suites: processes,
  },
  {
    fault: "a process that ended is never started again",
    file: policyProcess,
    find: "if ([...this.#policies].some((policy) => !policy.quarantine.closed)) this.#process.startLater();",
    replace: "",
    suites: processes,
  },
  {
    fault: "what is said of policies that were taken away has no bound",
    file: policyProcess,
    find: 'return fits ? null : "it speaks of what it has not";',
    replace: 'return fits || this.#lateBytes >= 0 ? null : "it speaks of what it has not";',
    suites: processes,
  },
  {
    fault: "a policy that could not be loaded is asked",
    file: policyProcess,
    find: "    policy.quarantine.putAside(this.#options.clock.now());\n",
    replace: "",
    suites: processes,
  },
  {
    fault: "a batch is answered by another policy",
    file: callBatches,
    find: 'if (batch === undefined || batch.policy !== policy) return "it answers',
    replace: 'if (batch === undefined) return "it answers',
    suites: processes,
  },
  {
    fault: "a batch is over before all of it was answered",
    file: callBatches,
    find: "if (last ? end !== whole : end > whole || count === 0) {",
    replace: "if (end > whole) {",
    suites: processes,
  },
  {
    fault: "an answer too burdensome to read is read",
    file: callBatches,
    find: "const decision = burden === null ? parsed(text) : undefined;",
    replace: "const decision = parsed(text);",
    suites: processes,
  },
  {
    fault: "calls wait for their policy without end",
    file: callBatches,
    find: "(each) => each.untilMs <= nowMs",
    replace: "(each) => each.untilMs < 0",
    suites: processes,
  },
  {
    fault: "a process may take any memory",
    file: "src/policy/host_process.ts",
    find: "if (bytes !== null && bytes > most) {",
    replace: "if (bytes !== null && bytes < 0) {",
    suites: processes,
  },
  {
    fault: "a process that is silent lives",
    file: "src/policy/host_process.ts",
    find: "if (silentMs > mostMs || tookMs > limits.policyHostSilentCpuMs) {",
    replace: "if (silentMs < 0) {",
    suites: processes,
  },
  {
    fault: "there may be any number of processes",
    file: "src/policy/policy_host.ts",
    find: "if (this.#processes.size >= limits.policyProcessesMax) return null;",
    replace: "",
    suites: processes,
  },
  {
    fault: "policies of all names share a process",
    file: "src/policy/policy_host.ts",
    find: "ref.shipped === true && ref.tried !== true ? shippedName : own",
    replace: 'ref.shipped !== undefined || ref.name !== "" ? shippedName : own',
    suites: processes,
  },
  {
    fault: "options that nobody gives any more are kept for ever",
    file: "src/policy/known_options.ts",
    find: "for (const [, number] of gone) this.forget(policy, number);",
    replace: "",
    suites: processes,
  },
  {
    fault: "a worker that hangs is left running",
    file: "src/policy/hosted_policy.ts",
    find: "if (tookMs > cpuMost) this.#lose(",
    replace: "if (tookMs < 0) this.#lose(",
    suites: ["test/unit/policy/hosted_policy_test.ts"],
  },
  {
    fault: "a worker answers what it was not asked",
    file: "src/policy/hosted_policy.ts",
    find: 'if (question === undefined || question.what !== answered.get(mark ?? "") || question.number !== number) {',
    replace: "if (question === undefined) {",
    suites: ["test/unit/policy/hosted_policy_test.ts"],
  },
  {
    fault: "a policy routes to what its options do not name",
    file: "src/policy/evaluation.ts",
    find: "if (!this.around.leadsTo(binding, called, key))\n      return this.#tripped",
    replace: 'if (key === "")\n      return this.#tripped',
    suites: ["test/unit/policy/chain_test.ts"],
  },
  {
    fault: "a policy is asked at a hook that it has not",
    file: "src/policy/evaluation.ts",
    find: "if (!isAskedAt(binding, this.call.hook)) {",
    replace: 'if (!isAskedAt(binding, this.call.hook) && binding.name === "") {',
    suites: ["test/unit/policy/chain_test.ts"],
  },
  {
    fault: "a policy writes fields that frame a message",
    file: "src/policy/said_values.ts",
    find: "if (reservedFields.has(carelessly(name)) || isOwnName(name)) {",
    replace: "if (isOwnName(name)) {",
    suites: ["test/unit/policy/decision_test.ts"],
  },
  {
    fault: "a step back in the path of a URL is seen only where nothing of it is escaped",
    file: "src/policy/url.ts",
    find: "/^(?:\\.|%2e){2}$/i",
    replace: "/^\\.{2}$/",
    suites: urls,
  },
  {
    fault: "what stands before the last @ of a URL is its host",
    file: "src/policy/url.ts",
    find: 'text.lastIndexOf("@")',
    replace: 'text.indexOf("@")',
    suites: urls,
  },
  {
    fault: "a host of a URL that is a number is a name",
    file: "src/policy/url_host.ts",
    find: "return endsInNumber(name) ? ipv4Of(name) : name;",
    replace: "return name;",
    suites: urls,
  },
  {
    fault: "a URL with a backslash has another host than browsers see",
    file: "src/policy/url.ts",
    find: "text.search(special ? /[/\\\\?]/ : /[/?]/)",
    replace: "text.search(/[/?]/)",
    suites: urls,
  },
  {
    fault:
      "a policy that fails open ends a stream of events that it fails on, and one that fails closed does not",
    file: laterHooks,
    find: "if (!failsOpen(this.around, binding))\n",
    replace: "if (failsOpen(this.around, binding))\n",
    suites: table,
  },
  {
    fault: "the endpoints that a policy prefers are not taken",
    file: laterHooks,
    find: 'done(said.do === "prefer" ? said.ids : null, [',
    replace: "done(null, [",
    suites: table,
  },
];
