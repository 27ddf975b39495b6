/** A gRPC client on grpc-js with the calls of the test service; each resolves with what it heard and how it ended. */
import * as grpc from "@grpc/grpc-js";
import { decodeReply, encode, servicePath, type Question, type Reply } from "./messages.ts";

export interface Heard {
  readonly replies: Reply[];
  readonly code: number;
  readonly details: string;
  readonly initial: grpc.Metadata;
  readonly trailers: grpc.Metadata;
}

export interface CallOptions {
  readonly metadata?: grpc.Metadata;
  readonly deadlineMs?: number;
}

export type Duplex = grpc.ClientDuplexStream<Question, Reply>;

export class TestClient {
  readonly client: grpc.Client;

  constructor(target: string, authority: string, options: grpc.ChannelOptions = {}) {
    this.client = new grpc.Client(target, grpc.credentials.createInsecure(), {
      "grpc.default_authority": authority,
      "grpc.max_receive_message_length": -1,
      "grpc.service_config_disable_resolution": 1,
      // A retry of the client's own would hide what the mesh does.
      "grpc.enable_retries": 0,
      "grpc.use_local_subchannel_pool": 1,
      ...options,
    });
  }

  close(): void {
    this.client.close();
  }

  unary(method: string, question: Question, options: CallOptions = {}): Promise<Heard> {
    return new Promise((resolve) => {
      let initial = new grpc.Metadata();
      const replies: Reply[] = [];
      const call = this.client.makeUnaryRequest(
        method.startsWith("/") ? method : `${servicePath}/${method}`,
        encode,
        decodeReply,
        question,
        options.metadata ?? new grpc.Metadata(),
        deadline(options),
        (_, reply) => void (reply !== undefined && replies.push(reply)),
      );
      call.on("metadata", (metadata) => (initial = metadata));
      call.on("status", ({ code, details, metadata }) =>
        setImmediate(() => resolve({ replies, code, details, initial, trailers: metadata })),
      );
    });
  }

  input(questions: readonly Question[], options: CallOptions = {}): Promise<Heard> {
    return new Promise((resolve) => {
      let initial = new grpc.Metadata();
      const replies: Reply[] = [];
      const call = this.client.makeClientStreamRequest(
        `${servicePath}/StreamingInputCall`,
        encode,
        decodeReply,
        options.metadata ?? new grpc.Metadata(),
        deadline(options),
        (_, reply) => void (reply !== undefined && replies.push(reply)),
      );
      call.on("metadata", (metadata) => (initial = metadata));
      call.on("status", ({ code, details, metadata }) =>
        setImmediate(() => resolve({ replies, code, details, initial, trailers: metadata })),
      );
      for (const question of questions) call.write(question);
      call.end();
    });
  }

  openOutput(question: Question, options: CallOptions = {}): grpc.ClientReadableStream<Reply> {
    const { metadata = new grpc.Metadata() } = options;
    const path = `${servicePath}/StreamingOutputCall`;
    return this.client.makeServerStreamRequest(
      path,
      encode,
      decodeReply,
      question,
      metadata,
      deadline(options),
    );
  }

  output(question: Question, options: CallOptions = {}): Promise<Heard> {
    return heard(this.openOutput(question, options));
  }

  openInput(): grpc.ClientWritableStream<Question> {
    return this.client.makeClientStreamRequest(
      `${servicePath}/StreamingInputCall`,
      encode,
      decodeReply,
      new grpc.Metadata(),
      {},
      () => {},
    );
  }

  duplex(options: CallOptions = {}): Duplex {
    return this.client.makeBidiStreamRequest(
      `${servicePath}/FullDuplexCall`,
      encode,
      decodeReply,
      options.metadata ?? new grpc.Metadata(),
      deadline(options),
    );
  }
}

/** Everything until its end. */
export function heard(
  call: grpc.ClientReadableStream<Reply> | Duplex,
  onReply: (reply: Reply) => void = () => {},
): Promise<Heard> {
  return new Promise((resolve) => {
    let initial = new grpc.Metadata();
    const replies: Reply[] = [];
    call.on("metadata", (metadata) => (initial = metadata));
    call.on("data", (reply: Reply) => {
      replies.push(reply);
      onReply(reply);
    });
    call.on("error", () => {});
    call.on("status", ({ code, details, metadata }) =>
      resolve({ replies, code, details, initial, trailers: metadata }),
    );
  });
}

function deadline({ deadlineMs }: CallOptions): grpc.CallOptions {
  return deadlineMs === undefined ? {} : { deadline: Date.now() + deadlineMs };
}
