/** What each flag of the access log, of `heddle_requests_total` and of `x-heddle-error` means, and where to look next. */
import { flags, type Flag } from "../../model/outcome.ts";
import type { Chapter } from "./chapter.ts";

interface Meaning {
  readonly means: string;
  readonly next: string;
}

/** `heddle why` says the same of one request. */
export const flagMeanings: Readonly<Record<Flag, Meaning>> = {
  UH: {
    means: "No endpoint of the service was ready",
    next: "heddle status shows its instances and why each is not ready",
  },
  UF: {
    means: "No connection to an endpoint could be made",
    next: "heddle check on the machine of that endpoint: its app, its proxy, its firewall",
  },
  UO: {
    means: "A limit was reached, and the request had waited for its turn in vain",
    next: "The detail names the limit; heddle explain LIMIT says what it bounds",
  },
  NR: { means: "No route of the service matched", next: "heddle get HTTPRoute shows the rules that stand" },
  NC: {
    means: "The service is not known here, or a route leads to one that is not valid",
    next: "heddle get Service; heddle status shows what is registered",
  },
  URX: {
    means: "It failed, and was not tried again: the retries of the service are used up",
    next: "heddle_retry_budget_left; most of its requests fail, so look at the first cause in `attempts` before raising `retryBudget` of its Traffic",
  },
  UT: {
    means: "The service did not answer in time",
    next: "The detail names the timer; `timeouts` of an HTTPRoute or of Traffic set it",
  },
  UC: {
    means: "The service closed its connection before its answer was whole",
    next: "The log of the service; an app that closes idle connections early is told by `Keep-Alive: timeout=N`",
  },
  UR: { means: "The service reset the connection or the stream", next: "The log of the service" },
  DC: { means: "The client left before its answer was whole", next: "`dur_ms` says how long it waited" },
  DPE: { means: "The client broke the protocol", next: "The detail names the rule" },
  UPE: {
    means: "The service broke the protocol",
    next: "The detail names the rule; is its `protocol` declared as it speaks?",
  },
  DT: {
    means: "The proxy ended, and the time for what was open was over",
    next: "--drain sets how long that is",
  },
  SI: {
    means: "The answer had begun, and then nothing came for too long",
    next: "`stream: true` of the Service where silence is normal, else `timeouts.streamIdle` of its Traffic",
  },
  AD: {
    means: "An Access rule denied it",
    next: "`access` in the access log names the rule; heddle get Access",
  },
  PD: {
    means: "A policy answered in the place of the service",
    next: "`policies` in the access log says which and why",
  },
  PE: {
    means: "A policy failed, and is not one that lets requests through then",
    next: "`policies` in the access log has the error at file:line:col",
  },
  RL: {
    means: "More requests came than a rate lets through",
    next: "The detail names the rate and the Traffic field that sets it; `Retry-After` says when there is room",
  },
  OM: {
    means: "The proxy could not keep up, and refused what matters least",
    next: "heddle_loop_delay_seconds; `priority` of routes and Traffic say what matters more",
  },
  DP: {
    means: "The time was over that the caller itself gave (grpc-timeout, x-request-deadline)",
    next: "`dur_ms` and the deadline in the detail; it is no failure of an instance unless that had a second",
  },
  ID: {
    means:
      "An identity was not what it must be: a certificate was missing, refused or another's; or the local app that called is no attached unit",
    next: "heddle check on both machines: certificates and clocks. Of a local app the answer says which unit it is, and what to do",
  },
  FI: {
    means: "A route made it fail on purpose (fault.abort)",
    next: "heddle get HTTPRoute shows the fault; without `faults: allowed` in the Mesh document none is made",
  },
};

export const flagsChapter: Chapter = {
  name: "flags",
  title: "How an exchange ended when it did not end well",
  intro: [
    "A flag stands in `flags` of the access log and of heddle_requests_total, and first in the field x-heddle-error of an answer that heddle made. Spellings are Envoy's where Envoy has one; AD, PD, PE, ID and DP are heddle's own.",
  ],
  entries: flags.map((flag) => ({
    name: flag,
    summary: flagMeanings[flag].means,
    facts: [["look at", flagMeanings[flag].next]],
    code: "",
  })),
};
