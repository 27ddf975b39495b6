/** The record of a call that a local service makes, with all that is known when it begins. */
import type { ServerExchange } from "../../http/exchange.ts";
import { isRequestId } from "../fields/request_id.ts";
import { requestIdField } from "../fields/heddle_fields.ts";
import type { OutboundSource } from "../state/outbound_source.ts";
import { CallRecord } from "./call_record.ts";

/** Of an exchange. Its client may have given it an id. */
export function exchangeRecord({ request, connection }: ServerExchange, source: OutboundSource): CallRecord {
  const { shard, ids } = source.parts;
  const record = new CallRecord("outbound", "http", shard.clock.now());
  const given = request.fields.get(requestIdField);
  // Whoever is outside gives no ids: records of others could be taken for its own.
  const isKept = !source.outside && given !== null && isRequestId(given);
  record.requestId = isKept ? given : ids.next();
  record.source = source.key;
  record.method = request.method;
  record.path = request.path;
  record.protocol = request.version;
  record.detected = connection.detectedBy ?? "";
  return record;
}

/** Of an opaque connection to `service`, "" while none is known. `requestId`: null when nobody gave one. */
export function connectionRecord(
  source: OutboundSource,
  service: string,
  requestId: string | null,
): CallRecord {
  const { shard, ids } = source.parts;
  const record = new CallRecord("outbound", "tcp", shard.clock.now());
  record.service = service;
  record.source = source.key;
  record.requestId = requestId ?? ids.next();
  record.protocol = "tcp";
  return record;
}
