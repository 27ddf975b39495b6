/** What the bus of a service manager says is read as it was meant; what is cut is waited for, what contradicts itself is refused. */
import { expect, test } from "bun:test";
import { busCall, busMessageLength, readBusMessage } from "../../../src/systemd/bus_messages.ts";

const call = {
  serial: 7,
  destination: "org.freedesktop.systemd1",
  path: "/org/freedesktop/systemd1/unit/web_2eservice",
  interface: "org.freedesktop.DBus.Properties",
  member: "Get",
  strings: ["org.freedesktop.systemd1.Unit", "ActiveState"],
};

test("a call reads back as it was written, and its length is known from its first bytes", () => {
  const bytes = busCall(call);
  expect(busMessageLength(bytes.subarray(0, 15))).toBe(null);
  expect(busMessageLength(bytes.subarray(0, 16))).toBe(bytes.length);
  expect(readBusMessage(bytes)).toEqual({
    kind: "call",
    replyTo: 0,
    path: call.path,
    member: "Get",
    text: "org.freedesktop.systemd1.Unit",
  });
});

/** As systemd answers Get of ActiveState, by way of the bus. */
const answer = Uint8Array.from([
  ...[0x6c, 2, 1, 1, 15, 0, 0, 0, 9, 0, 0, 0, 0x1d, 0, 0, 0],
  ...[5, 1, 0x75, 0, 7, 0, 0, 0],
  ...[8, 1, 0x67, 0, 1, 0x76, 0, 0],
  ...[7, 1, 0x73, 0, 4, 0, 0, 0, 0x3a, 0x31, 0x2e, 0x32, 0, 0, 0, 0],
  ...[1, 0x73, 0, 0, 6, 0, 0, 0, 0x61, 0x63, 0x74, 0x69, 0x76, 0x65, 0],
]);

test("the state is what the variant of the answer holds, and the call is named that it answers", () => {
  expect(busMessageLength(answer)).toBe(answer.length);
  expect(readBusMessage(answer)).toEqual({
    kind: "return",
    replyTo: 7,
    path: "",
    member: "",
    text: "active",
  });
});

test("another byte order than that of this machine is refused, and lengths that lead out of the message", () => {
  expect(() => busMessageLength(answer.with(0, 0x42))).toThrow("byte order");
  expect(() => readBusMessage(answer.subarray(0, 40))).toThrow(RangeError);
});
