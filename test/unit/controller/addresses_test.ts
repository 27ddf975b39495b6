/** Virtual addresses: one for each service, the same for as long as it lives and a while longer, nobody else's meanwhile. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { controllerPaths, registryKeys } from "../../../src/api/messages.ts";
import {
  addressAt,
  addressCount,
  planAddresses,
  type StoredAddress,
} from "../../../src/controller/address_plan.ts";
import { limits } from "../../../src/model/limits.ts";
import { testMs } from "../../support/patience.ts";
import { ControllerUnderTest } from "../../support/controller_under_test.ts";

type Addresses = ReadonlyMap<string, StoredAddress>;

function after(addresses: Addresses, services: readonly string[], nowMs = 0): Map<string, StoredAddress> {
  const next = new Map(addresses);
  for (const each of planAddresses({ services, addresses, nowMs })) {
    const address = each.key.slice(registryKeys.addresses.length);
    if (each.do === "delete") next.delete(address);
    else next.set(address, JSON.parse(each.value) as StoredAddress);
  }
  return next;
}

function byService(addresses: Addresses): ReadonlyMap<string, string> {
  return new Map([...addresses].map(([address, { service }]) => [service, address]));
}

const nothing: Addresses = new Map();

test("every address is one of loopback that no network or broadcast has, and no two places have one", () => {
  const all = new Set(Array.from({ length: addressCount }, (_, place) => addressAt(place)));
  expect(all.size).toBe(addressCount);
  for (const address of all) expect(address).toMatch(/^127\.100\.\d{1,3}\.(?!0$|255$)\d{1,3}$/);
  expect(addressAt(addressCount)).toBe(addressAt(0));
});

test("whatever comes and goes, a service keeps its address and shares it with none", () => {
  const names = fc.array(fc.stringMatching(/^[a-e]{1,2}\.default$/), { maxLength: 20 });
  fc.assert(
    fc.property(fc.array(names, { maxLength: 10 }), (steps) => {
      let addresses: Addresses = nothing;
      const first = new Map<string, string>();
      for (const services of steps) {
        addresses = after(addresses, services);
        const given = byService(addresses);
        expect(given.size).toBe(addresses.size);
        for (const service of services) {
          const address = given.get(service) as string;
          expect(first.get(service) ?? address).toBe(address);
          first.set(service, address);
        }
      }
      expect(planAddresses({ services: steps.at(-1) ?? [], addresses, nowMs: 0 })).toEqual([]);
    }),
  );
});

test("a mesh that is set up again finds the same addresses", () => {
  const services = Array.from({ length: 50 }, (_, at) => `service-${at}.default`);
  expect(after(nothing, services)).toEqual(after(nothing, services.toReversed()));
});

test("a service whose place is taken has the next one", () => {
  const own = byService(after(nothing, ["orders.default"])).get("orders.default") as string;
  const taken = new Map([[own, { service: "other.default", freedMs: null }]]);
  const given = byService(after(taken, ["orders.default", "other.default"]));
  expect(given.get("other.default")).toBe(own);
  expect(given.get("orders.default")).not.toBe(own);
});

test("what a deleted service had is its again when it comes back, and anybody's only after a rest", () => {
  const before = after(nothing, ["orders.default"]);
  const [[address = ""] = []] = [...before];
  const resting = after(before, [], 1_000);
  expect(resting.get(address)).toEqual({ service: "orders.default", freedMs: 1_000 });
  expect(after(resting, [], 1_000 + limits.addressRestMs).size).toBe(1);
  expect(after(resting, ["orders.default"], 2_000)).toEqual(before);
  expect(after(resting, [], 1_001 + limits.addressRestMs).size).toBe(0);
});

test("of too many that rest the oldest are given again", () => {
  const resting = Array.from(
    { length: limits.addressesRestingMax + 2 },
    (_, at) => [addressAt(at), { service: `gone-${at}.default`, freedMs: at }] as const,
  );
  const left = after(new Map(resting), []);
  expect(left.size).toBe(limits.addressesRestingMax);
  expect([left.has(addressAt(1)), left.has(addressAt(2))]).toEqual([false, true]);
});

test(
  "a service that is applied has its address in the snapshots of all machines, and keeps it",
  async () => {
    const mesh = await ControllerUnderTest.start();
    await mesh.addNode("vm-1", [{ name: "web", namespace: "default" }]);
    const machine = mesh.follow("vm-1");
    const apply = (port: number) => {
      const files = [
        { file: "mesh.yaml", text: `kind: Service\nname: orders\nport: ${port}\nprotocol: http\n` },
      ];
      return mesh
        .operator()
        .call("POST", controllerPaths.documents, { files, policies: [], prune: false, dryRun: false });
    };
    const name = (): string => {
      const last = machine.news.at(-1);
      return (last?.kind === "snapshot" ? last.snapshot.names?.[0] : undefined) ?? "";
    };
    await apply(80);
    await mesh.until(() => name().includes(":80 http"));
    const [given = ""] = /^orders\.default 127\.100\.\d+\.\d+/.exec(name()) ?? [];
    expect(given).not.toBe("");
    await apply(8080);
    await mesh.until(() => name().includes(":8080 http"));
    expect(name()).toBe(`${given}:8080 http`);
    machine.close();
    mesh.close();
  },
  testMs,
);
