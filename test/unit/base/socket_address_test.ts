import { expect, test } from "bun:test";
import { socketAddress } from "../../../src/base/socket_address.ts";

test("an IPv6 address stands in brackets before its port", () => {
  expect(socketAddress("10.0.0.7", 80)).toBe("10.0.0.7:80");
  expect(socketAddress("vm-1.example", 80)).toBe("vm-1.example:80");
  expect(socketAddress("fd00::7", 80)).toBe("[fd00::7]:80");
});
