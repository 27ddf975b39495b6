/** What heddle attach writes into a Machine document keeps what people wrote there. */
import { describe, expect, test } from "bun:test";
import { withoutUnit, withUnit, type UnitInstance } from "../../../src/config/machine_edit.ts";
import { loadMachine } from "../../../src/config/load.ts";

const written = `# vm-3, rack 7
kind: Machine
name: vm-3
services:
  # the shop
  - service: web
    port: 8081
    labels: {version: v1}
`;
const orders: UnitInstance = {
  unit: "orders.service",
  service: { name: "orders", namespace: "default" },
  port: 8080,
  host: null,
  health: null,
};

function servicesOf(text: string) {
  const { machine, issues } = loadMachine("machine.yaml", text);
  expect(issues).toEqual([]);
  return (machine?.services ?? []).map(({ service, port, unit, host }) => [service.name, port, unit, host]);
}

describe("a unit that is attached", () => {
  test("comes last, and what stood there stands as it was, comments too", () => {
    const text = withUnit(written, orders);
    expect(text).toStartWith(written);
    expect(servicesOf(text)).toEqual([
      ["web", 8081, undefined, "127.0.0.1"],
      ["orders", 8080, "orders.service", "127.0.0.1"],
    ]);
  });
  test("changes nothing when it is attached again, and is gone without a trace when it is detached", () => {
    const text = withUnit(written, orders);
    expect(withUnit(text, orders)).toBe(text);
    expect(withoutUnit(text, "orders.service")).toBe(written);
    expect(withoutUnit(written, "orders.service")).toBe(written);
  });
  test("takes an instance over that stands there for its port, with all that is said of it", () => {
    const text = withUnit(written, {
      ...orders,
      unit: "web.service",
      service: { name: "web", namespace: "default" },
      port: 8081,
    });
    expect(text).toBe(`${written}    unit: web.service\n`);
  });
  test("is moved when it is attached with another port", () => {
    expect(servicesOf(withUnit(withUnit(written, orders), { ...orders, port: 8090 }))).toContainEqual([
      "orders",
      8090,
      "orders.service",
      "127.0.0.1",
    ]);
  });
  test("of a template stands beside its siblings, each with a port of its own", () => {
    const one = withUnit(written, { ...orders, unit: "orders@1.service" });
    const two = withUnit(one, { ...orders, unit: "orders@2.service", port: 8082, host: "10.0.0.3" });
    expect(servicesOf(two).slice(1)).toEqual([
      ["orders", 8080, "orders@1.service", "127.0.0.1"],
      ["orders", 8082, "orders@2.service", "10.0.0.3"],
    ]);
    expect(withoutUnit(two, "orders@2.service")).toBe(one);
  });
  test("is not one of several ports that stand together", () => {
    const text = `{kind: Machine, services: [{service: orders, ports: [8080, 8081]}]}`;
    expect(() => withUnit(text, orders)).toThrow("together with others");
  });
  test("goes into a document that flags made", () => {
    const text = `${JSON.stringify({ kind: "Machine", name: "vm-2", services: [] }, null, 2)}\n`;
    expect(servicesOf(withUnit(text, orders))).toEqual([["orders", 8080, "orders.service", "127.0.0.1"]]);
  });
});
