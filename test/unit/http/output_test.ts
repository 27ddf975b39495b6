/** What one connection writes, by hand: whose buffers it takes. */
import { expect, test } from "bun:test";
import { Output } from "../../../src/http/output.ts";
import { Shard } from "../../../src/http/shard.ts";
import { ManualClock } from "../../support/clock.ts";
import { FakeSocket } from "../../support/fake_socket.ts";

class CountingShard extends Shard {
  taken = 0;

  override takeBuffer(): Uint8Array {
    this.taken++;
    return super.takeBuffer();
  }
}

test("whatever is written after its end takes no buffer and goes nowhere", () => {
  const shard = new CountingShard(new ManualClock());
  const socket = new FakeSocket();
  const output = new Output(socket, shard, { giveWay() {} });
  output.discard();
  output.text("HTTP/1.1 200 OK");
  output.line("date", "today");
  output.number(17, 10);
  output.bytes(new Uint8Array(3), 0, 3);
  output.flush();
  expect([shard.taken, output.pendingBytes, output.written, socket.writes]).toEqual([0, 0, 0, 0]);
});
