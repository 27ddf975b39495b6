/** Who is who, and who says so. */
import type { Mutant } from "../mutant.ts";

const peers = "src/identity/verify_peer.ts";
const handshakes = ["test/unit/identity/handshake_test.ts"];
const issuing = "src/controller/issue/issuing.ts";
const joins = ["test/unit/controller/issue"];
const authority = "src/identity/authority.ts";
const authorityTests = ["test/unit/identity/authority_test.ts"];

export const identity: readonly Mutant[] = [
  {
    fault: "another service of the mesh is taken for the one that is meant",
    file: peers,
    find: "if (id !== expected.spiffeId) return `it is ${id}, not ${expected.spiffeId}`;",
    replace: "",
    suites: [...handshakes, "test/unit/proxy/faults_test.ts"],
  },
  {
    fault: "a certificate of two names is taken by its first",
    file: peers,
    find: "|| second !== undefined)",
    replace: ")",
    suites: handshakes,
  },
  {
    fault: "a machine is taken for a service",
    file: peers,
    find: "} else if (principal.kind !== expected.kind) return `${id} is no ${expected.kind}`;",
    replace: "}",
    suites: handshakes,
  },
  {
    fault: "another trust domain is let in",
    file: peers,
    find: "if (principal === null) return `${printable(id)} names nobody of ${trust.trustDomain}`;",
    replace: "if (principal === null) return null;",
    suites: handshakes,
  },
  {
    fault: "a revoked identity shakes hands",
    file: peers,
    find: "if (trust.denied.has(id)) return `${id} was revoked`;",
    replace: "",
    suites: [...handshakes, "test/unit/proxy/revocation_test.ts"],
  },
  {
    fault: "a revoked certificate shakes hands",
    file: peers,
    find: "return trust.denied.has(peer.serial) ? `this certificate of ${id} was revoked` : null;",
    replace: "return null;",
    suites: [...handshakes, "test/unit/proxy/revocation_test.ts"],
  },
  {
    fault: "what is open under a revoked certificate stays",
    file: peers,
    find: "return denied.has(peer.serial) || ",
    replace: "return ",
    suites: ["test/unit/proxy/revocation_test.ts"],
  },
  {
    fault: "callers may be anybody of the mesh's roots",
    file: "src/identity/tls_options.ts",
    find: 'verifyPeer(session, trust, { kind: "service" })',
    replace: "(session.peer === null ? trust.trustDomain : null)",
    suites: handshakes,
  },
  {
    fault: "dials go on under the old certificate",
    file: "src/proxy/data_plane.ts",
    find: "if (this.state !== null) for (const pool of poolsOf(this.state)) pool.refresh();",
    replace: "",
    suites: ["test/unit/proxy/pipeline_test.ts"],
  },
  {
    fault: "a token that was used joins again",
    file: "src/controller/issue/tokens.ts",
    find: "if (stored.used !== null || stored.expiresMs < this.wallMs()) throw tokenRefused();",
    replace: "if (stored.expiresMs < this.wallMs()) throw tokenRefused();",
    suites: joins,
  },
  {
    fault: "a token never ends",
    file: "src/controller/issue/tokens.ts",
    find: "|| stored.expiresMs < this.wallMs()",
    replace: "",
    suites: joins,
  },
  {
    fault: "the secret of a token does not count",
    file: "src/controller/issue/tokens.ts",
    find: "|| !right) throw",
    replace: "|| right === null) throw",
    suites: joins,
  },
  {
    fault: "a machine renews for another",
    file: issuing,
    find: "if (caller !== request.node)",
    replace: 'if (caller === "")',
    suites: joins,
  },
  {
    fault: "the key of a machine need not be proved",
    file: issuing,
    find: "if (!isProof(publicKey, `${purpose}:${nonce}:${node}`, signature))",
    replace: "if (publicKey === null)",
    suites: joins,
  },
  {
    fault: "the key of a service need not be proved",
    file: issuing,
    find: "if (!isProof(each.publicKey, `heddle-svid:${nonce}:${key}`, each.signature))",
    replace: "if (each.publicKey === null)",
    suites: joins,
  },
  {
    fault: "others who fail at its address keep a member from coming back",
    file: issuing,
    find: "this.#guard.count(seenAddress, () => this.#knownByKey(request))",
    replace: "this.#guard.watch(seenAddress, () => this.#knownByKey(request))",
    suites: joins,
  },
  {
    fault: "a nonce is good for ever",
    file: issuing,
    find: "    this.#nonces.use(nonce);\n",
    replace: "",
    suites: joins,
  },
  {
    fault: "a machine renews a service that it may not be",
    file: issuing,
    find: "request.services.filter((each) => allowed.has(serviceKey(each.service)))",
    replace: "request.services.filter((each) => allowed !== null && each !== null)",
    suites: joins,
  },
  {
    fault: "who was away too long comes back by its key",
    file: issuing,
    find: "      requireInTime(node, found, this.options.clock.wallMs());\n",
    replace: "",
    suites: joins,
  },
  {
    fault: "a certificate lives longer than any may",
    file: authority,
    find: "if (!(request.ttlMs > 0 && request.ttlMs <= limits.leafMsMax))",
    replace: "if (!(request.ttlMs > 0))",
    suites: authorityTests,
  },
  {
    fault: "an old root goes while certificates below it live",
    file: authority,
    find: "if (!cut && this.nowMs() < oldLeavesEndMs)",
    replace: "if (this.nowMs() < 0)",
    suites: authorityTests,
  },
  {
    fault: "a change of the authority takes effect before it is kept",
    file: authority,
    find: "    await this.save(next);\n    this.#state = next;",
    replace: "    this.#state = next;\n    await this.save(next);",
    suites: authorityTests,
  },
  {
    fault: "a connection whose source port the kernel changed is taken for somebody's",
    file: "src/intercept/rules.ts",
    find: "ct status snat counter reject with tcp reset",
    replace: "ct status snat counter",
    suites: ["test/golden/intercept_test.ts"],
  },
  {
    fault: "rules of an earlier version stay where they lead elsewhere",
    file: "src/intercept/standing.ts",
    find: " || isElsewhere",
    replace: "",
    suites: ["test/unit/intercept/units_test.ts"],
  },
  {
    fault: "rules lead to where the proxy that still runs does not listen",
    file: "src/app/interception.ts",
    find: "return isEarlier ? [ports.redirectedBefore] : redirectedPorts;",
    replace: "return redirectedPorts;",
    suites: ["test/unit/app/interception_test.ts"],
  },
  {
    fault: "an upgrade leaves rules that lead to where the version before listens",
    file: "src/app/upgrade/upgrade_services.ts",
    find: "      await this.#loadRules();\n",
    replace: "",
    suites: ["test/unit/app/upgrade_services_test.ts"],
  },
];
