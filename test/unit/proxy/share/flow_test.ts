/** Clients behind another proxy: told apart by name, on whichever connection they come, and forgotten in the end. */
import { expect, test } from "bun:test";
import { limits } from "../../../../src/model/limits.ts";
import { CallerFlows } from "../../../../src/proxy/share/caller_flows.ts";
import { Flow } from "../../../../src/proxy/share/flow.ts";

test("all connections of a caller from one address are one client, as long as one of them is open", () => {
  const flows = new CallerFlows();
  const first = flows.opened("10.0.0.1", "web.default");
  expect(flows.opened("10.0.0.1", "web.default")).toBe(first);
  expect(flows.opened("10.0.0.2", "web.default")).not.toBe(first);
  expect(flows.opened("10.0.0.1", "api.default")).not.toBe(first);
  flows.closed("10.0.0.1", "web.default");
  expect(flows.opened("10.0.0.1", "web.default")).toBe(first);
  flows.closed("10.0.0.1", "web.default");
  flows.closed("10.0.0.1", "web.default");
  expect(flows.opened("10.0.0.1", "web.default")).not.toBe(first);
});

test("a client is told apart by its name while others come and go, and names without end are forgotten", () => {
  const proxy = new Flow("web.default");
  const client = proxy.part("client");
  const other = proxy.part("other");
  expect([client.caller, client === other]).toEqual(["web.default", false]);
  for (let name = 0; name < 3 * limits.flowPartsMax; name++) {
    proxy.part(String(name));
    if (name % 100 === 0) expect(proxy.part("client")).toBe(client);
  }
  expect(proxy.part("other")).not.toBe(other);
  expect(proxy.part("x".repeat(limits.flowNameLengthMax + 1))).toBe(proxy);
});
