import { expect, test } from "bun:test";
import { controllerAddresses, moreAddresses } from "../../../src/cli/controller_address.ts";
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
    expect(controllerAddresses(text)).toEqual([{ host, port }]);
});

test("what is no address of a controller is refused with what was expected", () => {
  for (const text of ["", ":7443", "[fd00::1", "fd00::1]:7443", "a b:c:d", "[]:1"])
    expect(() => controllerAddresses(text)).toThrow(`"${text}": expected host:port`);
  for (const text of ["vm-1:", "vm-1:x", "[fd00::1]:65536"])
    expect(() => controllerAddresses(text)).toThrow("port");
});

test("several addresses have commas between, and keep their order", () => {
  expect(controllerAddresses("10.0.0.1,[fd00::1]:7000")).toEqual([
    { host: "10.0.0.1", port: ports.controller },
    { host: "fd00::1", port: 7000 },
  ]);
  for (const text of ["10.0.0.1,", ",10.0.0.1", "a,,b"])
    expect(() => controllerAddresses(text)).toThrow('"": expected host:port');
});

test("a flag that is given again adds an address, with the usual port of its mode", () => {
  const add = moreAddresses("registry");
  expect(add("10.0.0.2:1", add("10.0.0.1", undefined))).toEqual([
    { host: "10.0.0.1", port: ports.registry },
    { host: "10.0.0.2", port: 1 },
  ]);
  expect(() => add(":1", undefined)).toThrow('registry address ":1"');
});
