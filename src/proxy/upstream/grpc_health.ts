/** One question to an app of gRPC whether it is well: `grpc.health.v1.Health/Check`, as the gRPC Health Checking Protocol has it. */
import type { Socket, SocketHandler } from "../../../runtime/contract.ts";
import type { OutgoingRequest, ResponseHead } from "../../http/exchange.ts";
import { Http2Client } from "../../http/h2_client.ts";
import type { Shard } from "../../http/shard.ts";
import type { FieldEdits } from "../../wire/fields.ts";
import { profiles } from "../../wire/h2/settings.ts";

export interface GrpcHealthOptions {
  readonly shard: Shard;
  /** Of the app: `127.0.0.1:50051`. */
  readonly authority: string;
  /** As the app names it; "" asks of the whole server. */
  readonly service: string;
}

/** An answer has five bytes of its own and two of the message; what is longer is none. */
const answerBytesMax = 64;
const messageHeadBytes = 5;
/** `status` of HealthCheckResponse. */
const statuses = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];
const edits: FieldEdits = {
  remove: [],
  set: ["content-type", "application/grpc", "te", "trailers", "user-agent", "heddle-probe"],
  add: [],
};

/** Asks on a socket that was dialled for it; `settle` is called with what is wrong, null: it is well. Returns the socket's handler. */
export function askGrpcHealth(
  socket: Socket,
  { shard, authority, service }: GrpcHealthOptions,
  settle: (problem: string | null) => void,
): SocketHandler {
  const client = new Http2Client(socket, {
    ...{ shard, profile: profiles.app, peer: `the app at ${authority}` },
    onRoom() {},
    onRetired() {},
  });
  const answer = new Uint8Array(answerBytesMax);
  let length = 0;
  let grpcStatus: string | null = null;
  const request: OutgoingRequest = {
    ...{ method: "POST", target: "/grpc.health.v1.Health/Check", authority, fields: null, nominated: null },
    ...{ contentLength: -1, upgrade: null, expectContinue: false },
  };
  const stream = client.start(request, edits, {
    informational() {},
    head({ status, fields }: ResponseHead) {
      grpcStatus = fields.get("grpc-status");
      if (status !== 200) settle(`grpc.health.v1 was answered ${status}`);
    },
    data(bytes, start, end) {
      if (length + end - start > answer.length) return settle("grpc.health.v1 was answered with too much");
      answer.set(bytes.subarray(start, end), length);
      length += end - start;
    },
    end(trailers) {
      const status = trailers?.get("grpc-status") ?? grpcStatus;
      settle(
        status === "0"
          ? problemOf(answer.subarray(0, length), service)
          : `grpc.health.v1 was answered with the gRPC status ${status ?? "none"}`,
      );
    },
    failed: ({ detail }) => settle(detail),
    writable() {},
  });
  stream.write(questionOf(service));
  stream.end(null);
  return client.handler;
}

/** HealthCheckRequest: field 1 is the name. */
function questionOf(service: string): Uint8Array {
  const name = new TextEncoder().encode(service);
  const message = name.length === 0 ? name : Uint8Array.of(0x0a, name.length, ...name);
  return Uint8Array.of(0, 0, 0, 0, message.length, ...message);
}

/** HealthCheckResponse: field 1 is the status. */
function problemOf(answer: Uint8Array, service: string): string | null {
  const message = answer.subarray(messageHeadBytes);
  const status = message[0] === 0x08 ? (message[1] ?? 0) : 0;
  if (status === 1 && answer[0] === 0) return null;
  const what = service === "" ? "the server" : service;
  return `grpc.health.v1 says that ${what} is ${statuses[status] ?? `in status ${status}`}`;
}
