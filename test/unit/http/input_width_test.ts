/** How much one read of a connection to an app brings: little, until it is taken as fast as it comes. */
import { expect, test } from "bun:test";
import { Buffered } from "../../../src/http/buffered.ts";
import { InputWidth } from "../../../src/http/input_width.ts";
import { limits } from "../../../src/model/limits.ts";
import { FakeSocket } from "../../support/fake_socket.ts";

function opened(bytesMax: number = limits.bufferedBytesMax) {
  const socket = new FakeSocket();
  const buffered = new Buffered({ nowMs: () => 0, bytesMax });
  return { socket, buffered, width: new InputWidth(socket, buffered) };
}

test("it begins small, grows while reads come full, and is lent what it grew by until nothing is under way", () => {
  const { socket, buffered, width } = opened();
  const seen = [socket.inputBytes];
  width.taken(limits.inputBytes / 2);
  seen.push(socket.inputBytes);
  while (socket.inputBytes < limits.inputBytesMax) {
    width.taken(socket.inputBytes);
    seen.push(socket.inputBytes);
  }
  width.taken(socket.inputBytes);
  expect(seen).toEqual([1, 1, 2, 4, 8].map((times) => times * limits.inputBytes));
  expect([socket.inputBytes, buffered.lent]).toEqual([
    limits.inputBytesMax,
    limits.inputBytesMax - limits.inputBytes,
  ]);
  width.giveBack();
  width.giveBack();
  expect(buffered.lent).toBe(0);
});

test("where much waits it does not grow", () => {
  const { socket, buffered, width } = opened();
  buffered.count(limits.bufferedBytesMax * limits.bufferedTightShare + 1);
  width.taken(socket.inputBytes);
  expect([socket.inputBytes, buffered.lent]).toEqual([limits.inputBytes, 0]);
});
