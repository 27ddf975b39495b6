/** The record of an opaque connection, before anything is known of it. */
import type { ExchangeRecord } from "../telemetry/record.ts";

export function tcpRecord(direction: "inbound" | "outbound", startedMs: number): ExchangeRecord {
  return {
    direction,
    kind: "tcp",
    startedMs,
    service: "",
    source: "",
    sourceId: "",
    destinationId: "",
    tls: direction === "inbound",
    requestId: "",
    method: "",
    path: "",
    protocol: "TCP",
    route: "",
    status: 0,
    outcome: null,
    firstByteMs: 0,
    bytesIn: 0,
    bytesOut: 0,
    endpoint: "",
    attempts: [],
    policies: [],
    access: null,
  };
}
