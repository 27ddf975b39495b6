/** Networks and the addresses in them. */
import { expect, test } from "bun:test";
import { isWithin, readNetwork, type Network } from "../../../src/base/cidr.ts";

const within = (network: string, address: string): boolean =>
  isWithin(readNetwork(network) as Network, address);

test("an address lies in the networks that share its first bits, and in no other", () => {
  for (const [network, address, is] of [
    ["10.0.0.0/8", "10.255.3.4", true],
    ["10.0.0.0/8", "11.0.0.1", false],
    ["10.1.2.128/25", "10.1.2.129", true],
    ["10.1.2.128/25", "10.1.2.127", false],
    ["10.1.2.3", "10.1.2.3", true],
    ["10.1.2.3", "10.1.2.4", false],
    ["0.0.0.0/0", "192.0.2.1", true],
    ["0.0.0.0/0", "::1", false],
    ["10.0.0.0/8", "::ffff:10.0.0.1", true],
    ["fd00::/8", "fd12::1", true],
    ["fd00::/8", "fe80::1%eth0", false],
    ["2001:db8::/33", "2001:db8:7fff::1", true],
    ["2001:db8::/33", "2001:db8:8000::1", false],
    ["::/0", "2001:db8::1", true],
    ["10.0.0.0/8", "", false],
    ["10.0.0.0/8", "unknown", false],
  ] as const)
    expect([network, address, within(network, address)]).toEqual([network, address, is]);
});

test("what is no network is none", () => {
  for (const text of [
    "",
    "10.0.0/8",
    "10.0.0.0/33",
    "::/129",
    "10.0.0.256",
    "a::b::c",
    "1:2:3",
    "10.0.0.0/",
    "x",
  ])
    expect([text, readNetwork(text)]).toEqual([text, null]);
});
