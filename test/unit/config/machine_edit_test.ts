/** What heddle attach writes into a Machine document keeps what people wrote there. */
import { describe, expect, test } from "bun:test";
import { withCaller, withoutUnit, withUnit, type UnitInstance } from "../../../src/config/machine_edit.ts";
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
  intercept: null,
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
    const web = {
      ...orders,
      unit: "web.service",
      service: { name: "web", namespace: "default" },
      port: 8081,
    };
    const text = withUnit(written, web);
    expect(text).toBe(`${written}    unit: web.service # the rest stood here before heddle attach\n`);
    expect(withUnit(text, web)).toBe(text);
    expect(withoutUnit(text, "web.service")).toBe(written);
  });
  test("that took over what stood there leaves it valid when it is detached, and intercepts nothing any more", () => {
    const web = {
      ...orders,
      unit: "web.service",
      service: { name: "web", namespace: "default" },
      port: 8081,
      intercept: { outbound: "all", inbound: "enforce" },
    } as const;
    const text = withUnit(written, web);
    expect(loadMachine("machine.yaml", text)).toMatchObject({ issues: [] });
    expect(withoutUnit(text, "web.service")).toBe(written);
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
  test("is out when it is detached, and what somebody wrote of it stands as a comment until it is attached again", () => {
    const text = withUnit(written, orders).replace(
      "    unit: orders.service\n",
      "    unit: orders.service\n    # two of three\n    weight: 2\n    labels: {version: v2}\n",
    );
    const out = withoutUnit(text, "orders.service");
    expect(out).toStartWith(written);
    expect(servicesOf(out)).toHaveLength(1);
    for (const kept of [
      "orders.service, which heddle detach took out",
      "# two of three",
      "weight: 2",
      "version: v2",
    ])
      expect(out).toContain(kept);
    expect(withoutUnit(out, "orders.service")).toBe(out);
    const back = withUnit(out, orders);
    expect(back).toBe(text);
    const moved = withUnit(out, { ...orders, port: 8090 });
    expect(servicesOf(moved)).toContainEqual(["orders", 8090, "orders.service", "127.0.0.1"]);
    expect(moved).toContain("weight: 2");
  });
  test("keeps what was written of each of several that are detached, beside what stood at the end", () => {
    const end = "# the end\n";
    const both = [1, 2].reduce(
      (text, at) =>
        withUnit(text, { ...orders, unit: `orders@${at}.service`, port: 8080 + at }).replace(
          `unit: orders@${at}.service\n`,
          `unit: orders@${at}.service\n    weight: ${at + 1}\n`,
        ),
      written + end,
    );
    const none = withoutUnit(withoutUnit(both, "orders@1.service"), "orders@2.service");
    expect([none, servicesOf(none).length]).toEqual([expect.stringContaining("the end"), 1]);
    const one = withUnit(none, { ...orders, unit: "orders@1.service", port: 8081 });
    expect(one).toMatch(/weight: 2[^]*# the end[^]*orders@2[^]*# +weight: 3/);
    expect(servicesOf(one)).toHaveLength(2);
  });
  test("only calls where it is a job, and is gone without a trace when it is detached", () => {
    const job = { unit: "report.service", service: { name: "report", namespace: "prod" } };
    const text = withCaller(written, job);
    expect(loadMachine("machine.yaml", text)).toMatchObject({ issues: [], machine: { callers: [job] } });
    expect(withCaller(text, job)).toBe(text);
    expect(withoutUnit(text, "report.service")).toBe(written);
    const other = withCaller(text, { ...job, service: { name: "web", namespace: "default" } });
    expect(loadMachine("machine.yaml", other).machine?.callers).toMatchObject([{ service: { name: "web" } }]);
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
