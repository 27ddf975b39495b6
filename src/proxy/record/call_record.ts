/** The record of one exchange or opaque connection, filled by a pipeline while it lasts. One shape for all: one allocation. */
import type { Outcome } from "../../model/outcome.ts";
import type { TraceRef } from "../../model/trace_ref.ts";
import type {
  AccessVerdict,
  AttemptRecord,
  ExchangeRecord,
  InferenceRecord,
  PolicyRecord,
} from "../../telemetry/record.ts";

/** Shared by the records of exchanges that had none: replaced, never written to. */
const noAttempts: AttemptRecord[] = [];
const noPolicies: PolicyRecord[] = [];

export class CallRecord implements ExchangeRecord {
  service = "";
  source = "";
  sourceId = "";
  destinationId = "";
  tls = false;
  requestId = "";
  method = "";
  path = "";
  protocol = "";
  detected = "";
  upgrade = "";
  grpc = "";
  route = "";
  status = 0;
  outcome: Outcome | null = null;
  firstByteMs = 0;
  bytesIn = 0;
  bytesOut = 0;
  endpoint = "";
  zone = "";
  attempts: AttemptRecord[] = noAttempts;
  attempt = 0;
  noRetry = "";
  ejected = "";
  policies: PolicyRecord[] = noPolicies;
  access: AccessVerdict | null = null;
  trace: TraceRef | null = null;
  keep = false;
  keepLine = false;
  inference: InferenceRecord | null = null;
  older: ExchangeRecord | null = null;
  newer: ExchangeRecord | null = null;

  constructor(
    readonly direction: "inbound" | "outbound",
    readonly kind: "http" | "tcp",
    readonly startedMs: number,
  ) {}
}
