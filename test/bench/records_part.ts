/**
 * What the records of requests cost at the defaults, where no span is sampled: one by itself, in this process, and what all of them are
 * of a proxy's processor time at a given rate.
 */
import { CallRecord } from "../../src/proxy/record/call_record.ts";
import { limits } from "../../src/model/limits.ts";
import { traceDefaults } from "../../src/model/telemetry.ts";
import { Tracer } from "../../src/proxy/trace/tracer.ts";
import { AccessLog } from "../../src/telemetry/access_log.ts";
import { Metrics } from "../../src/telemetry/metrics.ts";
import { ProxyTelemetry } from "../../src/telemetry/proxy_telemetry.ts";
import { WallTimes } from "../../src/telemetry/trace/wall_times.ts";
import { fieldsFrom } from "../../src/wire/head_fields.ts";
import { runtime } from "../support/runtime_under_test.ts";
import { paths } from "./backends.ts";
import { openLoop } from "./load.ts";
import type { BenchOptions } from "./options.ts";
import type { Subject } from "./peers/peer.ts";
import { median } from "./rounds.ts";
import { loadCore, note } from "./stage.ts";
import type { Bar } from "./tables.ts";
import { cpuNanos } from "./usage.ts";

const paced = { rate: 5_000, connections: 32 } as const;
const microsBar = 2;
const shareBar = 3;
/** A clear hop within one machine has an outbound record and an inbound one. */
const recordsPerRequest = 2;
const batch = 20_000;

export async function recordBars(subject: Subject, { rounds, paced: count }: BenchOptions): Promise<Bar[]> {
  const [traced, plain] = [recordMicros(rounds, true), recordMicros(rounds, false)];
  note(
    `telemetry: a record takes ${traced.toFixed(2)} us, without a receiver of traces ${plain.toFixed(2)} us`,
  );
  const { host, port, authority } = subject;
  const load = { host, port, authority, path: paths.page, ...paced, count, warmup: paced.rate };
  let beganNanos = 0;
  await openLoop(load, loadCore, () => (beganNanos = cpuNanos(subject.pids())));
  const perRequest = (cpuNanos(subject.pids()) - beganNanos) / 1_000 / count;
  note(`telemetry: a request at ${paced.rate}/s takes ${perRequest.toFixed(2)} us`);
  const share = (100 * recordsPerRequest * plain) / perRequest;
  return [
    { title: "a record without a sampled span", wanted: microsBar, measured: traced, unit: " µs" },
    {
      title: `records, of the processor time of a proxy at ${paced.rate} requests/s`,
      wanted: shareBar,
      measured: share,
      unit: " %",
    },
  ];
}

/** Begun, counted, looked at by the access log and remembered; `traced`: with a trace that is not sampled. */
function recordMicros(rounds: number, traced: boolean): number {
  const { clock, random } = runtime;
  const wallMs = (): number => clock.wallMs();
  const accessLog = new AccessLog({
    sampleRatio: limits.accessLogSampleShare,
    slowMs: limits.slowExchangeMs,
    write: () => {},
    wallMs,
  });
  const telemetry = new ProxyTelemetry(new Metrics(), accessLog);
  const wall = new WallTimes(clock);
  const tracer = new Tracer({
    ...{ random, wallAt: (ms) => wall.at(ms), keep: () => {}, remembered: () => [], tell: () => {} },
  });
  const endpoint = traced ? "http://collector:4318" : null;
  tracer.settings = { ...traceDefaults, endpoint, samplePercent: 0 };
  telemetry.tracer = tracer;
  const fields = fieldsFrom(["host", "orders.mesh", "accept", "*/*", "user-agent", "bench"]);
  const one = (at: number): void => {
    const record = new CallRecord(at % 2 === 0 ? "outbound" : "inbound", "http", at / 5);
    record.service = "orders.default";
    record.source = "web.default";
    record.requestId = `request-${at}`;
    record.method = "GET";
    record.path = "/1k";
    record.protocol = "HTTP/1.1";
    record.trace = tracer.begin(fields);
    telemetry.began(record);
    record.status = 200;
    record.firstByteMs = at / 5 + 0.4;
    record.bytesOut = 1_024;
    record.endpoint = "vm-2/orders.default/8080";
    telemetry.finish(record, at / 5 + 0.5);
  };
  const measured = Array.from({ length: rounds + 3 }, (_, round) => {
    const beforeNanos = cpuNanos([process.pid]);
    for (let at = 0; at < batch; at++) one(round * batch + at);
    accessLog.flush();
    return (cpuNanos([process.pid]) - beforeNanos) / 1_000 / batch;
  });
  // The first ones are compiled meanwhile.
  return median(measured.slice(3));
}
