import { expect, test } from "bun:test";
import { controllerAddress } from "../../../src/cli/controller_address.ts";
import { ports } from "../../../src/model/ports.ts";

test("the controller's address may be a name, IPv4 or IPv6, with a port or without", () => {
  const standard = ports.controller;
  for (const [text, host, port] of [
    ["10.0.0.1:7000", "10.0.0.1", 7000],
    ["vm-1.example", "vm-1.example", standard],
    ["[fd00::1]:7000", "fd00::1", 7000],
    ["[fd00::1]", "fd00::1", standard],
    ["fd00::1", "fd00::1", standard],
    ["::1", "::1", standard],
  ] as const)
    expect(controllerAddress(text)).toEqual({ host, port });
});

test("what is no address of a controller is refused with what was expected", () => {
  for (const text of ["", ":7443", "[fd00::1", "fd00::1]:7443", "a b:c:d", "[]:1"])
    expect(() => controllerAddress(text)).toThrow(`"${text}": expected host:port`);
  for (const text of ["vm-1:", "vm-1:x", "[fd00::1]:65536"])
    expect(() => controllerAddress(text)).toThrow("port");
});
