/** What heddle check says of names. */
import { expect, test } from "bun:test";
import { checkNames } from "../../../src/app/check_names.ts";
import { MemoryMachine } from "../../support/memory_machine.ts";

const names = { dns: "127.0.0.1:7453", problem: null, names: 3, listeners: 2, without: [] };
const resolved = {
  "/run/systemd/resolve/stub-resolv.conf": "",
  "/etc/resolv.conf": "nameserver 127.0.0.53\n",
};
const check = async (status: object, files: Record<string, string> = {}) =>
  (await checkNames(new MemoryMachine(files).files, { names: { ...names, ...status } })).map(
    ({ code, result, title, detail }) => `${code} ${result} ${title}: ${detail}`,
  );

test("names that are off, or of a proxy that does not tell, are no matter", async () => {
  expect(await check({ dns: null })).toEqual([]);
  expect(await checkNames(new MemoryMachine({}).files, {})).toEqual([]);
});

test("a service without an address is named with who has its port", async () => {
  const reason = "port 80 is held on all addresses by nginx";
  const without = [{ reason, cure: "Let it bind 127.0.0.1", services: ["orders.default"] }];
  expect(await check({ without })).toContain(`HED0014 warn address of orders.default: ${reason}`);
});

test("DNS that does not answer is a failure, and a resolver that was not told is one to mend", async () => {
  expect(await check({ problem: "held by dnsmasq" })).toEqual(["HED0013 fail names: held by dnsmasq"]);
  expect((await check({}, resolved)).at(-1)).toContain("HED0013 warn resolver");
  const told = { ...resolved, "/etc/systemd/resolved.conf.d/heddle.conf": "" };
  expect((await check({}, told)).at(-1)).toBe("HED0013 ok resolver: systemd-resolved asks for mesh here");
});
