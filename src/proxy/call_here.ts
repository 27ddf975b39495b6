/** A call of a local service to another one of the same machine: it enters the inbound pipeline in this process, access rules included. */
import type { FieldEdits } from "../wire/fields.ts";
import type { CallHere, CallSink } from "./attempt/http_attempts.ts";
import { InboundCall } from "./inbound.ts";
import type { CallRecord } from "./record/call_record.ts";
import type { Leaving } from "./rewrite/leaving.ts";
import type { Flow } from "./share/flow.ts";
import type { Caller, LiveEndpoint } from "./state/live_service.ts";
import type { ProxyParts } from "./state/proxy_parts.ts";

export interface CallHereOptions {
  readonly here: NonNullable<LiveEndpoint["here"]>;
  readonly caller: Caller;
  readonly flow: Flow;
  /** Of the outbound side. */
  readonly record: CallRecord;
  readonly leaving: Leaving;
  readonly edits: FieldEdits;
  readonly sink: CallSink;
}

export function callHere(parts: ProxyParts, options: CallHereOptions): CallHere {
  const { here, caller, flow, record, leaving, edits, sink } = options;
  return new InboundCall({
    shard: parts.shard,
    recorder: parts.recorder,
    service: here.service,
    app: here.app,
    caller,
    flow,
    requestId: record.requestId,
    // What access rules see is what the app gets.
    path: leaving.path,
    protocol: record.protocol,
    spokeHttp2: leaving.came.version === "HTTP/2",
    tls: false,
    request: leaving.head(),
    edits,
    sink,
  });
}
