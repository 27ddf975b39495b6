/** The service of the gRPC interoperability cases, with JSON in place of protocol buffers: paths, messages, and their coding. */
export const servicePath = "/grpc.testing.TestService";
export const initialField = "x-grpc-test-echo-initial";
export const trailingField = "x-grpc-test-echo-trailing-bin";

export interface Question {
  /** Bytes of the answer; for a call that streams, of each of its answers. */
  readonly sizes?: readonly number[];
  /** Pause before each answer. */
  readonly everyMs?: number;
  readonly payload?: string;
  /** How the call shall end. */
  readonly code?: number;
  readonly message?: string;
  /** Ends with `code` before any answer. */
  readonly atOnce?: boolean;
}

export interface Reply {
  readonly payload: string;
  /** Bytes of all payloads that were received. */
  readonly total: number;
  /** Who answers. */
  readonly name: string;
}

export function encode(value: Question | Reply): Buffer {
  return Buffer.from(JSON.stringify(value));
}

export function decodeQuestion(bytes: Buffer): Question {
  return JSON.parse(bytes.toString()) as Question;
}

export function decodeReply(bytes: Buffer): Reply {
  return JSON.parse(bytes.toString()) as Reply;
}

/** Text that shows where it is cut or mixed up. */
export function payloadOf(size: number, tag = 0): string {
  let text = "";
  for (let at = 0; text.length < size; at++) text += `${tag}.${at};`;
  return text.slice(0, size);
}
