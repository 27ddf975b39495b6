/** A gRPC server on grpc-js with the health service, to be run by Node: `health_server.ts <host> <port>`. `up` serves, `down` does not. */
import * as grpc from "@grpc/grpc-js";

const [host = "", port = ""] = process.argv.slice(2);
const serving: Readonly<Record<string, number>> = { "": 1, up: 1, down: 2 };

const server = new grpc.Server();
server.addService(
  {
    Check: {
      path: "/grpc.health.v1.Health/Check",
      requestStream: false,
      responseStream: false,
      requestSerialize: (bytes: Buffer) => bytes,
      requestDeserialize: (bytes: Buffer) => ({ service: bytes.subarray(2).toString() }),
      responseSerialize: (status: number) => Buffer.of(0x08, status),
      responseDeserialize: (bytes: Buffer) => bytes[1] ?? 0,
    },
  },
  {
    Check: (
      call: grpc.ServerUnaryCall<{ readonly service: string }, number>,
      done: grpc.sendUnaryData<number>,
    ) => {
      const status = serving[call.request.service];
      if (status === undefined) done({ code: grpc.status.NOT_FOUND, details: "unknown" });
      else done(null, status);
    },
  },
);
server.bindAsync(`${host}:${port}`, grpc.ServerCredentials.createInsecure(), (error) => {
  if (error !== null) throw error;
  console.log("listening");
});
