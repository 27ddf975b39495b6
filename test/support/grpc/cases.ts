/**
 * The interoperability cases of gRPC and a few of streams that meet on one channel. Each throws when what it saw is not as
 * it must be; none knows whether anything stands between it and the server.
 */
import assert from "node:assert/strict";
import * as grpc from "@grpc/grpc-js";
import { heard, TestClient, type Heard } from "./client.ts";
import { initialField, payloadOf, trailingField, type Question } from "./messages.ts";

const { status } = grpc;
const answerSizes = [31_415, 9, 2_653, 58_979];
const requestSizes = [27_182, 8, 1_828, 45_904];
const specialMessage = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n";
const streamsOfOneChannel = 2_000;

export const cases: Readonly<Record<string, (client: TestClient) => Promise<void>>> = {
  async "empty unary"(client) {
    isOk(await client.unary("EmptyCall", {}), 1);
  },

  async "large unary"(client) {
    const answer = await client.unary("UnaryCall", { sizes: [314_159], payload: payloadOf(271_828) });
    isOk(answer, 1);
    assert.equal(answer.replies[0]?.total, 271_828);
    assert.equal(answer.replies[0]?.payload, payloadOf(314_159));
  },

  async "client streaming"(client) {
    const answer = await client.input(requestSizes.map((size) => ({ payload: payloadOf(size) })));
    isOk(answer, 1);
    assert.equal(answer.replies[0]?.total, 74_922);
  },

  async "server streaming"(client) {
    const answer = await client.output({ sizes: answerSizes });
    isOk(answer, 4);
    assert.deepEqual(
      payloads(answer),
      answerSizes.map((size) => payloadOf(size)),
    );
  },

  async "ping pong"(client) {
    const call = client.duplex();
    const next = (at: number): void => {
      const size = answerSizes[at];
      if (size === undefined) call.end();
      else call.write({ sizes: [size], payload: payloadOf(requestSizes[at] ?? 0) });
    };
    let at = 0;
    const over = heard(call, () => next(++at));
    next(0);
    const answer = await over;
    isOk(answer, 4);
    assert.deepEqual(
      payloads(answer),
      answerSizes.map((size, tag) => payloadOf(size, tag)),
    );
    assert.deepEqual(
      answer.replies.map(({ total }) => total),
      requestSizes,
    );
  },

  async "empty stream"(client) {
    const call = client.duplex();
    call.end();
    isOk(await heard(call), 0);
  },

  async "cancel after begin"(client) {
    const call = client.openInput();
    const ended = new Promise<grpc.StatusObject>((resolve) => call.on("status", resolve));
    call.cancel();
    assert.equal((await ended).code, status.CANCELLED);
  },

  async "cancel after first response"(client) {
    const call = client.duplex();
    const over = heard(call, () => call.cancel());
    call.write({ sizes: [31_415], payload: payloadOf(27_182) });
    const answer = await over;
    assert.deepEqual([answer.code, answer.replies.length], [status.CANCELLED, 1]);
  },

  async "timeout on sleeping server"(client) {
    const call = client.duplex({ deadlineMs: 100 });
    const over = heard(call);
    call.write({ payload: payloadOf(27_182) });
    assert.equal((await over).code, status.DEADLINE_EXCEEDED);
  },

  async "custom metadata of a unary call"(client) {
    sawMetadata(await client.unary("UnaryCall", { sizes: [1] }, { metadata: testMetadata() }));
  },

  async "custom metadata of a stream"(client) {
    const call = client.duplex({ metadata: testMetadata() });
    const over = heard(call);
    call.write({ sizes: [1] });
    call.end();
    sawMetadata(await over);
  },

  async "status code and message of a unary call"(client) {
    const answer = await client.unary("UnaryCall", { code: 2, message: "test status message" });
    assert.deepEqual([answer.code, answer.details, answer.replies.length], [2, "test status message", 0]);
  },

  async "status code and message of a stream"(client) {
    const call = client.duplex();
    const over = heard(call);
    call.write({ code: 2, message: "test status message" });
    call.end();
    const answer = await over;
    assert.deepEqual([answer.code, answer.details], [2, "test status message"]);
  },

  async "status after answers of a stream"(client) {
    const call = client.duplex();
    const over = heard(call);
    call.write({ sizes: [10, 100_000] });
    call.write({ code: 10, message: "later" });
    const answer = await over;
    assert.deepEqual([answer.code, answer.details, answer.replies.length], [10, "later", 2]);
  },

  async "special status message"(client) {
    const answer = await client.unary("UnaryCall", { code: 2, message: specialMessage });
    assert.deepEqual([answer.code, answer.details], [2, specialMessage]);
  },

  async "unimplemented method"(client) {
    assert.equal((await client.unary("UnimplementedCall", {})).code, status.UNIMPLEMENTED);
  },

  async "unimplemented service"(client) {
    const path = "/grpc.testing.UnimplementedService/UnimplementedCall";
    assert.equal((await client.unary(path, {})).code, status.UNIMPLEMENTED);
  },

  async "trailers only, with metadata"(client) {
    const answer = await client.unary("UnaryCall", { code: 9 }, { metadata: binOnly() });
    assert.equal(answer.code, 9);
    assert.deepEqual(answer.trailers.get(trailingField), [bytes]);
  },

  async "2000 concurrent streams of one channel"(client) {
    const calls = Array.from({ length: streamsOfOneChannel }, () => client.duplex());
    const overs = calls.map((call) => heard(call));
    // All stand open before the first one ends.
    const opened = calls.map((call) => new Promise((resolve) => call.once("data", resolve)));
    for (const call of calls) call.write({ sizes: [10] });
    await Promise.all(opened);
    for (const [tag, call] of calls.entries()) {
      call.write({ sizes: [500], payload: payloadOf(tag) });
      call.end();
    }
    for (const [tag, over] of overs.entries()) {
      const answer = await over;
      isOk(answer, 2);
      assert.equal(answer.replies[1]?.total, tag);
    }
  },

  async "a paused reader beside busy streams"(client) {
    const sizes = Array.from({ length: 200 }, () => 100_000);
    const slow = client.openOutput({ sizes });
    const first = new Promise((resolve) => slow.once("data", resolve));
    await first;
    slow.pause();
    for (let round = 0; round < 20; round++) {
      const calls = Array.from({ length: 10 }, () => client.unary("UnaryCall", { sizes: [50_000] }));
      for (const call of calls) isOk(await call, 1);
    }
    const rest = heard(slow);
    slow.resume();
    isOk(await rest, sizes.length - 1);
  },

  async "many messages both ways at once"(client) {
    const call = client.duplex();
    const count = 3_000;
    const questions = Array.from({ length: count }, (_, tag): Question => ({
      sizes: [tag % 700],
      payload: payloadOf((tag * 7) % 900),
    }));
    const over = heard(call);
    for (const question of questions) call.write(question);
    call.end();
    const answer = await over;
    isOk(answer, count);
    for (const [tag, { payload, total }] of answer.replies.entries())
      assert.deepEqual([payload, total], [payloadOf(tag % 700, tag), (tag * 7) % 900]);
  },
};

function isOk(answer: Heard, count: number): void {
  assert.deepEqual([answer.code, answer.details, answer.replies.length], [status.OK, "OK", count]);
}

function payloads(answer: Heard): string[] {
  return answer.replies.map(({ payload }) => payload);
}

const bytes = Buffer.from([0xab, 0xab, 0xab, 0x00, 0xff]);

function binOnly(): grpc.Metadata {
  const metadata = new grpc.Metadata();
  metadata.set(trailingField, bytes);
  return metadata;
}

function testMetadata(): grpc.Metadata {
  const metadata = binOnly();
  metadata.set(initialField, "test_initial_metadata_value");
  return metadata;
}

function sawMetadata(answer: Heard): void {
  isOk(answer, 1);
  assert.deepEqual(answer.initial.get(initialField), ["test_initial_metadata_value"]);
  assert.deepEqual(answer.trailers.get(trailingField), [bytes]);
}
