/**
 * A gRPC server on grpc-js, to be run by Node: `server.ts <host> <port> <name> <streams at a time>`. Every method echoes the metadata of the
 * interoperability cases.
 */
import * as grpc from "@grpc/grpc-js";
import {
  decodeQuestion,
  encode,
  initialField,
  payloadOf,
  servicePath,
  trailingField,
  type Question,
  type Reply,
} from "./messages.ts";

const [host = "", port = "", name = "", streamsMax = "10000"] = process.argv.slice(2);

type Call = { readonly metadata: grpc.Metadata; sendMetadata(metadata: grpc.Metadata): void };

const method = (path: string, requestStream: boolean, responseStream: boolean) => ({
  path: `${servicePath}/${path}`,
  requestStream,
  responseStream,
  requestSerialize: encode as (value: Question) => Buffer,
  requestDeserialize: decodeQuestion,
  responseSerialize: encode as (value: Reply) => Buffer,
  responseDeserialize: (bytes: Buffer) => JSON.parse(bytes.toString()) as Reply,
});

const service: grpc.ServiceDefinition = {
  EmptyCall: method("EmptyCall", false, false),
  UnaryCall: method("UnaryCall", false, false),
  StreamingInputCall: method("StreamingInputCall", true, false),
  StreamingOutputCall: method("StreamingOutputCall", false, true),
  FullDuplexCall: method("FullDuplexCall", true, true),
};

/** Sends the initial metadata back, and returns what shall stand in the trailers. */
function echoMetadata(call: Call): grpc.Metadata {
  const [initial] = call.metadata.get(initialField);
  if (initial !== undefined) {
    const head = new grpc.Metadata();
    head.set(initialField, initial);
    call.sendMetadata(head);
  }
  const trailers = new grpc.Metadata();
  const [trailing] = call.metadata.get(trailingField);
  if (trailing !== undefined) trailers.set(trailingField, trailing);
  return trailers;
}

function pause(ms: number): Promise<void> {
  return ms === 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, ms));
}

function refusal({ code = 0, message = "" }: Question, metadata: grpc.Metadata): Partial<grpc.StatusObject> {
  return { code, details: message, metadata };
}

type Writable = grpc.ServerWritableStream<Question, Reply> | grpc.ServerDuplexStream<Question, Reply>;

async function answer(call: Writable, question: Question, tag: number): Promise<void> {
  for (const size of question.sizes ?? []) {
    await pause(question.everyMs ?? 0);
    if (call.cancelled) return;
    const reply: Reply = { payload: payloadOf(size, tag), total: question.payload?.length ?? 0, name };
    if (!call.write(reply)) await new Promise((resolve) => call.once("drain", resolve));
  }
}

const server = new grpc.Server({
  "grpc.max_receive_message_length": -1,
  "grpc.max_concurrent_streams": Number(streamsMax),
});
server.addService(service, {
  EmptyCall(call: grpc.ServerUnaryCall<Question, Reply>, done: grpc.sendUnaryData<Reply>) {
    done(null, { payload: "", total: 0, name }, echoMetadata(call));
  },
  UnaryCall(call: grpc.ServerUnaryCall<Question, Reply>, done: grpc.sendUnaryData<Reply>) {
    const { request } = call;
    const trailers = echoMetadata(call);
    void pause(request.everyMs ?? 0).then(() => {
      if ((request.code ?? 0) !== 0) return done(refusal(request, trailers));
      const total = request.payload?.length ?? 0;
      done(null, { payload: payloadOf(request.sizes?.[0] ?? 0), total, name }, trailers);
    });
  },
  StreamingInputCall(call: grpc.ServerReadableStream<Question, Reply>, done: grpc.sendUnaryData<Reply>) {
    let total = 0;
    call.on("data", (question: Question) => (total += question.payload?.length ?? 0));
    call.on("end", () => done(null, { payload: "", total, name }, echoMetadata(call)));
  },
  StreamingOutputCall(call: grpc.ServerWritableStream<Question, Reply>) {
    const trailers = echoMetadata(call);
    void answer(call, call.request, 0).then(() => call.end(trailers));
  },
  FullDuplexCall(call: grpc.ServerDuplexStream<Question, Reply>) {
    const trailers = echoMetadata(call);
    let tag = 0;
    let busy = Promise.resolve();
    call.on("data", (question: Question) => {
      const own = tag++;
      busy = busy.then(async () => {
        if ((question.code ?? 0) !== 0) call.emit("error", refusal(question, trailers));
        else await answer(call, question, own);
      });
    });
    call.on("end", () => void busy.then(() => call.end(trailers)));
  },
});
server.bindAsync(`${host}:${port}`, grpc.ServerCredentials.createInsecure(), (error) => {
  if (error !== null) throw error;
});
