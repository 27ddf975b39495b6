/** Records of exchanges for tests of telemetry. */
import type { ExchangeRecord } from "../../src/telemetry/record.ts";

/** A call that went well, with what a test wants changed. */
export function exchangeRecord(change: Partial<ExchangeRecord> = {}): ExchangeRecord {
  return {
    direction: "outbound",
    kind: "http",
    startedMs: 1000,
    service: "orders.default",
    source: "web.default",
    sourceId: "spiffe://corp.example/ns/default/sa/web",
    destinationId: "spiffe://corp.example/ns/default/sa/orders",
    tls: true,
    requestId: "r-1",
    method: "GET",
    path: "/v1",
    detected: "",
    protocol: "HTTP/1.1",
    upgrade: "",
    grpc: "",
    route: "",
    status: 200,
    outcome: null,
    firstByteMs: 1002,
    bytesIn: 0,
    bytesOut: 1024,
    endpoint: "vm-2/orders.default/8080",
    zone: "",
    attempts: [],
    attempt: 0,
    noRetry: "",
    ejected: "",
    trace: null,
    keep: false,
    keepLine: false,
    policies: [],
    access: null,
    inference: null,
    older: null,
    newer: null,
    ...change,
  };
}
