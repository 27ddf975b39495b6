/** How units are, told by a bus: asked for again after each signal, unknown while there is no bus, known again when it is back. */
import { expect, test } from "bun:test";
import type { DialHandler, Net, Random, SocketError, SocketHandler } from "../../../runtime/contract.ts";
import { UnitWatch } from "../../../src/systemd/unit_watch.ts";
import { busCall, busMessageLength, readBusMessage } from "../../../src/systemd/bus_messages.ts";
import { limits } from "../../../src/model/limits.ts";
import { ManualClock } from "../../support/clock.ts";

const path = "/org/freedesktop/systemd1/unit/web_401_2eservice";
const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** A bus in memory: authenticates, and answers each Get with `state`. */
class Bus {
  state = "active";
  readonly calls: string[] = [];
  there = true;
  #handler: SocketHandler | null = null;
  #socket = { write: (bytes: Uint8Array) => this.#take(bytes), destroy: () => {} };

  readonly net = {
    connect: (_: unknown, dial: DialHandler) => {
      if (this.there) this.#handler = dial.opened(this.#socket as never);
      else
        queueMicrotask(() =>
          dial.failed({ kind: "refused", code: "ENOENT", message: "there is none" } as SocketError),
        );
      return { cancel() {} };
    },
  } as unknown as Net;

  #take(bytes: Uint8Array): number {
    queueMicrotask(() => this.#answer(bytes));
    return bytes.length;
  }

  #answer(bytes: Uint8Array): void {
    const line = decode(bytes);
    if (line.startsWith("\0AUTH EXTERNAL 393937"))
      return this.#handler?.data(new TextEncoder().encode("OK 12ab\r\n"));
    let left = line.startsWith("BEGIN") ? bytes.subarray(7) : bytes;
    for (let length = busMessageLength(left); length !== null; length = busMessageLength(left)) {
      const message = readBusMessage(left.subarray(0, length));
      this.calls.push(message.member);
      if (message.member === "Get" && message.path === path)
        this.#reply(new DataView(left.buffer, left.byteOffset).getUint32(8, true));
      left = left.subarray(length);
    }
  }

  /** In two pieces. */
  #reply(serial: number): void {
    const text = new TextEncoder().encode(this.state);
    const body = [1, 0x73, 0, 0, text.length, 0, 0, 0, ...text, 0];
    const fields = [5, 1, 0x75, 0, serial, 0, 0, 0, 8, 1, 0x67, 0, 1, 0x76, 0];
    const bytes = Uint8Array.from([
      0x6c,
      2,
      1,
      1,
      body.length,
      0,
      0,
      0,
      9,
      0,
      0,
      0,
      fields.length,
      0,
      0,
      0,
      ...fields,
      0,
      ...body,
    ]);
    this.#handler?.data(bytes.slice(0, 21));
    this.#handler?.data(bytes.slice(21));
  }

  changes(state: string): void {
    this.state = state;
    const signal = busCall({
      serial: 1,
      destination: ":1.7",
      path,
      interface: "i",
      member: "PropertiesChanged",
      strings: [],
    });
    signal[1] = 4;
    this.#handler?.data(signal);
  }

  ends(): void {
    this.#handler?.end();
  }
}

async function settled(): Promise<void> {
  for (let at = 0; at < 20; at++) await Promise.resolve();
}

test("each change is told once, always after Subscribe; without a bus nothing is known, until it is back", async () => {
  const bus = new Bus();
  const clock = new ManualClock();
  const log: string[] = [];
  const heard: (string | null)[] = [];
  const watch = new UnitWatch({
    net: bus.net,
    clock,
    random: { unit: () => 0.5 } as Random,
    process: { env: {}, user: 997 },
    log: (text) => log.push(text),
  });
  watch.follow("web@1.service", (state) => heard.push(state));
  await settled();
  expect(bus.calls).toEqual(["Hello", "Subscribe", "AddMatch", "Get"]);
  expect(heard).toEqual(["active"]);
  bus.changes("active");
  await settled();
  bus.changes("deactivating");
  await settled();
  expect(heard).toEqual(["active", "deactivating"]);
  bus.there = false;
  bus.ends();
  await settled();
  expect(heard).toEqual(["active", "deactivating", null]);
  bus.there = true;
  bus.state = "active";
  await clock.advance(4 * limits.reconnectMs);
  await settled();
  expect(heard).toEqual(["active", "deactivating", null, "active"]);
  expect(log.length).toBe(2);
  watch.close();
});
