/** What records keep of an answer, on both sides of the mesh. */
import type { ResponseHead } from "../../http/exchange.ts";
import { grpcCode } from "../../model/grpc_code.ts";
import type { Fields } from "../../wire/fields.ts";
import type { CallRecord } from "../record/call_record.ts";
import type { StreamKind } from "../../model/stream_kind.ts";
import { streamOf, type OpenStreams } from "./open_streams.ts";

/** An answer began that may be a stream: counts it among those that are open. `upgrade`: what its request asked for. */
export function noteStream(
  record: CallRecord,
  head: ResponseHead,
  { upgrade, grpc, streams }: { upgrade: string | null; grpc: boolean; streams: OpenStreams | null },
): StreamKind | null {
  if (head.tunnel) record.upgrade = upgrade ?? "";
  const kind = streamOf(head, upgrade, grpc);
  if (kind !== null) streams?.opened(kind);
  return kind;
}

/** An answer of gRPC ended: its status stands in its trailers, or in the head of one that has only a head. */
export function noteGrpcStatus(record: CallRecord, trailers: Fields | null, inHead: string): void {
  const code = trailers?.get("grpc-status") ?? inHead;
  if (code !== "") record.grpc = String(grpcCode(code));
}
