/** The question `request`: what this proxy knows of one request, and what it would decide of it now. */
import type { Clock } from "../../runtime/contract.ts";
import type { Evidence, RequestLine } from "../model/evidence.ts";
import type { DataPlane } from "../proxy/data_plane.ts";
import type { ProxyState } from "../proxy/state/state.ts";
import type { ProxyTelemetry } from "../telemetry/proxy_telemetry.ts";
import type { Answering } from "./answers.ts";
import { calleeView, callerView } from "./views.ts";

export function requestAnswering(
  telemetry: Pick<ProxyTelemetry, "find">,
  plane: Pick<DataPlane, "state">,
  clock: Clock,
): Answering<"request"> {
  return ({ id }, reply) => {
    for (const record of telemetry.find(id)) reply.line(lineOf(record, plane.state, clock));
    reply.end();
  };
}

function lineOf(record: Evidence, state: ProxyState | null, clock: Clock): RequestLine {
  const nowMs = clock.now();
  const atMs = clock.wallMs() - (nowMs - record.startedMs);
  const inbound = record.direction === "inbound";
  return {
    record,
    atMs,
    caller: state === null || inbound ? null : callerOf(record, state, nowMs),
    callee: state === null || !inbound ? null : calleeView(state.snapshot, record, state),
  };
}

function callerOf(record: Evidence, state: ProxyState, nowMs: number): RequestLine["caller"] {
  const { endpoint, attempts, method, path, source, sourceId, service, route } = record;
  const tried = [...attempts.map((each) => each.endpoint), endpoint].filter((id) => id !== "");
  const forgotten = { target: null, authority: null, fields: null };
  const question = { source, sourceId, service, method, path, tried, ...forgotten, took: route };
  return callerView(state.snapshot, question, {
    destinations: state.destinations,
    locals: state.locals,
    nowMs,
  });
}
