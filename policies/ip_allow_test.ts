/** ip-allow reads addresses of both families, and lets nobody in whom it cannot read. */
import { expect, test } from "bun:test";
import { PolicyUnderTest, wrongIn } from "../src/policy/policy_under_test.ts";
import policy from "./ip_allow.ts";

const allow = ["10.0.0.0/8", "192.168.1.1", "2001:db8::/32", "::1"];
const under = new PolicyUnderTest(policy, { allow, deny: ["10.1.2.0/24"] });

const expected: Readonly<Record<string, boolean>> = {
  "10.0.0.1": true,
  "10.255.255.255": true,
  "11.0.0.1": false,
  "10.1.2.3": false,
  "10.1.3.3": true,
  "192.168.1.1": true,
  "192.168.1.10": false,
  "2001:db8:0:1::5": true,
  "2001:DB8::": true,
  "2001:db9::1": false,
  "::1": true,
  "0:0:0:0:0:0:0:1": true,
  "::ffff:10.0.0.1": true,
  "::ffff:11.0.0.1": false,
  "256.0.0.1": false,
  "10.0.0": false,
  "1:2:3:4:5:6:7:8:9": false,
  "::1::": false,
  "": false,
};

for (const [address, isIn] of Object.entries(expected))
  test(`${address === "" ? "no address" : address} is ${isIn ? "let in" : "refused"}`, async () => {
    expect((await under.request({}, { address })).do).toBe(isIn ? "next" : "respond");
  });

test("nobody is let in whose address is not known; everybody where all may", async () => {
  expect(await under.request()).toMatchObject({ status: 403 });
  const all = new PolicyUnderTest(policy, { allow: ["0.0.0.0/0", "::/0"] });
  for (const address of ["1.2.3.4", "fe80::1"]) expect((await all.request({}, { address })).do).toBe("next");
});

test("settings that do not fit are named", () => {
  for (const wrong of ["10.0.0.0/33", "10.0.0", "::/129", "x", "10.0.0.0/8/8", "10.0.0.0/-1"])
    expect(wrongIn(policy, { allow: [wrong] })).toEqual(["allow.0"]);
});
