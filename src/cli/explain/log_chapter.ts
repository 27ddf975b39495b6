/** Fields of the access log. A field without a line here does not compile. */
import { retryRefusals } from "../../proxy/retry/retry_decision.ts";
import type { AccessLogField } from "../../telemetry/access_log.ts";
import type { Chapter } from "./chapter.ts";

const refusalWords = Object.entries(retryRefusals)
  .map(([refusal, words]) => `${refusal} (${words})`)
  .join(", ");

const fields: Readonly<Record<AccessLogField, string>> = {
  ts: "When the exchange ended, RFC 3339 in UTC",
  direction: "outbound: a local service called; inbound: a local service was called",
  src: "Service that called, from its listener (outbound) or its certificate (inbound)",
  dst: "Service that was called",
  src_id: "SPIFFE ID of the caller, verified",
  dst_id: "SPIFFE ID of the service, verified",
  method: "Method of the request",
  path: "Path of the request, normalised, without the query",
  proto: "What the caller spoke",
  detected: "What told the protocol of a service that declares none: bytes, port, time or end",
  status: "HTTP status that the caller got",
  upgrade: "Protocol that took the connection over, out of sight of every rule",
  grpc: "gRPC status code, 0 to 16",
  flags: "What went wrong: heddle explain flags",
  side: "Who is at fault: downstream (the caller), upstream (the service), mesh or policy",
  detail: "What went wrong, in one sentence",
  dur_ms: "From the request's head to the end of the answer, milliseconds",
  ttfb_ms: "From the request's head to the answer's head, milliseconds",
  bytes_in: "Bytes of the request's body",
  bytes_out: "Bytes of the answer's body",
  upstream: "Instance that answered",
  zone: "Zone in which that stands",
  route: "Rule of the route that matched; unmatched when none did",
  attempts: "Each try when there was more than one: endpoint, ms, result",
  attempt: "Inbound: how many tries were made before this one",
  model: "Model that a language model's caller asked for",
  tokens_in: "Tokens of its prompt, as the answer says",
  tokens_cached: "Those of them that came from a cache, as the answer says",
  tokens_out: "Tokens of its answer: as it says, or as its text comes to",
  first_token_ms: "Milliseconds until the first of its answer came",
  no_retry: `Why what failed was not sent again: ${refusalWords}`,
  ejected: "The failure after which circuit breaking took the instance out: streak, connect or rate",
  tls: "Whether the other side was on mTLS",
  request_id: "Value of x-request-id, the same in all proxies of a call",
  trace_id: "Trace of the request, where requests are traced",
  span_id: "Span of this hop in that trace",
  policies: "What each policy decided: name, hash, hook, decision, reason, us (microseconds)",
  access: "Verdict of the access rules, and the rule that decided",
};

export const logChapter: Chapter = {
  name: "log",
  title: "Fields of the access log",
  intro: [
    "One line of JSON on stdout for each exchange that is kept: failures, denials, slow ones, those that were sent again, changes of protocol, and a sample (telemetry.accessLog of kind: Mesh, --log-sample of one proxy). Both proxies of a call keep the same ones. Nothing waits for a slow reader of stdout: lines that do not fit are dropped, and counted in heddle_access_log_dropped_total. A field without a value is left out.",
  ],
  entries: Object.entries(fields).map(([name, summary]) => ({ name, summary, facts: [], code: "" })),
};
