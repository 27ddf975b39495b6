/** A call of a local service to another one of the same machine: it enters the inbound pipeline in this process, access rules included. */
import type { FieldEdits } from "../wire/fields.ts";
import type { CallHere, CallSink } from "./attempt/call_sink.ts";
import { tracedBelow } from "./fields/trace_fields.ts";
import { InboundCall } from "./inbound.ts";
import { CallRecord } from "./record/call_record.ts";
import { changed } from "./rewrite/arriving.ts";
import type { Leaving } from "./rewrite/leaving.ts";
import type { Flow } from "./share/flow.ts";
import type { Caller, LiveEndpoint } from "./state/live_service.ts";
import type { ProxyParts } from "./state/proxy_parts.ts";

/** `outbound`: the record of the side that calls. */
export function callHere(
  parts: ProxyParts,
  { service, app }: NonNullable<LiveEndpoint["here"]>,
  caller: Caller,
  flow: Flow,
  outbound: CallRecord,
  leaving: Leaving,
  edits: FieldEdits,
  sink: CallSink,
): CallHere {
  const record = new CallRecord("inbound", "http", parts.shard.clock.now());
  record.requestId = outbound.requestId;
  // What access rules see is what the app gets.
  record.path = leaving.path;
  record.protocol = outbound.protocol;
  record.zone = outbound.zone;
  record.attempt = outbound.attempts.length;
  record.trace = parts.tracer.below(outbound.trace);
  const own = record.trace === null ? edits : tracedBelow(edits, record.trace, parts.tracer.tellsB3);
  const spokeHttp2 = leaving.came.version === "HTTP/2";
  const meant = leaving.head();
  const { host = "" } = app.outside ?? {};
  const head = host === "" || leaving.host !== null ? meant : changed(meant, { authority: host });
  const call = new InboundCall(parts, service, app, caller, flow, record, head, own, spokeHttp2, sink);
  call.priority = leaving.priority;
  call.ofPolicy = leaving.ofPolicy;
  call.client = leaving.client;
  const { timeoutMs } = leaving;
  if (timeoutMs !== null) call.deadlineMs = timeoutMs - (record.startedMs - outbound.startedMs);
  return call;
}
