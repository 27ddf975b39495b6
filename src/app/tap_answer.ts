/**
 * The question `tap`: requests and connections as they end, those that fit, and so many in a second at most: what is beyond is counted
 * here, before it costs more than a look.
 */
import type { Clock } from "../../runtime/contract.ts";
import type { TapFilter } from "../api/questions.ts";
import type { TapLine } from "../model/evidence.ts";
import { limits } from "../model/limits.ts";
import { matchesPath } from "../proxy/fields/path_pattern.ts";
import type { ProxyTelemetry } from "../telemetry/proxy_telemetry.ts";
import type { ExchangeRecord } from "../telemetry/record.ts";
import type { Answering } from "./answers.ts";
import { every } from "./chores.ts";

const secondMs = 1_000;

export function tapAnswering(telemetry: Pick<ProxyTelemetry, "watch">, clock: Clock): Answering<"tap"> {
  return ({ filter, perSecond }, reply) => {
    let [left, dropped] = [perSecond, 0];
    const turning = every(clock, secondMs, () => {
      if (dropped > 0) reply.lost(dropped);
      [left, dropped] = [perSecond, 0];
    });
    const unwatch = telemetry.watch((record, endedMs) => {
      if (!fitsTap(filter, record, endedMs)) return;
      if (left-- > 0) reply.line(tapLine(record, endedMs, clock.wallMs()));
      else dropped++;
    });
    return () => {
      turning.close();
      unwatch();
    };
  };
}

function fitsTap(filter: TapFilter, record: ExchangeRecord, endedMs: number): boolean {
  const { direction, service, from, to, method, path, status, slowerMs, flag } = filter;
  if (direction !== null && record.direction !== direction) return false;
  if (service !== null && record.service !== service && record.source !== service) return false;
  if (from !== null && record.source !== from) return false;
  if (to !== null && record.service !== to) return false;
  if (method !== null && record.method !== method) return false;
  if (path !== null && !matchesPath(path, record.path)) return false;
  if (status !== null && (record.status < status[0] || record.status > status[1])) return false;
  if (slowerMs !== null && endedMs - record.startedMs < slowerMs) return false;
  return flag === null || (flag === "any" ? record.outcome !== null : record.outcome?.flag === flag);
}

function tapLine(record: ExchangeRecord, endedMs: number, atMs: number): TapLine {
  const { direction, kind, requestId, service, source, tls, method, path, protocol, grpc, route } = record;
  const { status, outcome, firstByteMs, startedMs, bytesIn, bytesOut, endpoint, attempts } = record;
  return {
    ...{ direction, kind, requestId, service, source, tls, method, protocol, grpc, route, status },
    ...{ bytesIn, bytesOut, endpoint, atMs },
    path: path.slice(0, limits.evidenceTextLengthMax),
    outcome: outcome === null ? null : { flag: outcome.flag, side: outcome.side, detail: outcome.detail },
    durationMs: endedMs - startedMs,
    firstByteMs: firstByteMs > 0 ? firstByteMs - startedMs : null,
    attempts: Math.max(1, attempts.length),
  };
}
