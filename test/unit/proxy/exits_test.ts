/** Services outside of the mesh that are reached by a gateway, in memory: it goes there, and judges who may call by who calls. */
import { describe, expect, test } from "bun:test";
import type { Access, Destination, Exit } from "../../../src/model/snapshot.ts";
import { MemoryApp, MemoryCall } from "../../support/memory_http.ts";
import { MemoryNet } from "../../support/memory_net.ts";
import { idOf, named, openAccess, Planes } from "../../support/planes.ts";
import { bytesOf } from "../../support/wire.ts";

const here = "127.0.0.1";

function rule(from: string): Access {
  const source = { kind: "exact", value: idOf(from) } as const;
  const allow = [{ id: "pay#allow[0]", mode: "enforce", source, methods: [], paths: [] } as const];
  return { otherwise: "deny", deny: [], allow };
}

/** A machine with a shop and a guest, another that runs the gateway, and what stands outside. */
async function scene({ access = openAccess, shows = "edge", host = "pay.example" } = {}) {
  const net = new MemoryNet();
  const outside = new MemoryApp(net, {
    at: (step, socket) => {
      if (step === "whole") void socket.write(bytesOf("HTTP/1.1 200 X\r\ncontent-length: 2\r\n\r\nok"));
    },
  });
  const planes = await Planes.inMemory(
    net,
    {
      name: "caller",
      services: { shop: { app: 8, upstreams: ["pay"] }, guest: { app: 9, upstreams: ["pay"] } },
    },
    { name: "gate", services: { edge: { app: 1, upstreams: ["pay"] }, other: { app: 2 } } },
  );
  const [caller, gate] = [planes.machine("caller"), planes.machine("gate")];
  const destinations = { shop: {}, guest: {}, edge: {}, pay: { protocol: "http" as const } };
  const endpoint = { node: "gate", address: here, port: gate.plane.inboundPort, labels: {}, ready: true };
  const asCalled = (each: Destination): Destination =>
    each.service.name === "pay"
      ? { ...each, spiffeId: idOf("edge"), endpoints: [{ id: "gate/edge.default/7445", ...endpoint }] }
      : each;
  const apply = (nowHere = true): void => {
    for (const machine of planes.machines) {
      const snapshot = planes.snapshot(machine, destinations);
      const pay = snapshot.destinations.find(({ service }) => service.name === "pay") as Destination;
      const at = { host: here, port: outside.port };
      const destination: Destination = {
        ...{ ...pay, spiffeId: idOf("pay"), externalAccess: access, external: { endpoints: [at], host } },
        endpoints: [
          { id: `${here}:${at.port}`, node: "", address: here, port: at.port, labels: {}, ready: true },
        ],
      };
      const exits: Exit[] = machine === gate && nowHere ? [{ gateway: named(shows), destination }] : [];
      machine.plane.apply({ ...snapshot, destinations: snapshot.destinations.map(asCalled), exits });
    }
  };
  apply();
  return {
    ...{ net, outside, caller, gate, apply },
    call: async (from = "shop", machine = caller, fields = ""): Promise<number> => {
      const port = machine.port(from, "pay");
      const call = new MemoryCall(net, port, [`GET /x HTTP/1.1\r\nhost: pay.mesh\r\n${fields}\r\n`]);
      // Time for another attempt.
      await net.pass(1_000);
      return call.answer.status;
    },
  };
}

describe("a service outside that is reached by a gateway", () => {
  test("is called by the gateway, which asks for its own host and names nobody", async () => {
    const { call, outside, caller, gate } = await scene();
    expect(await call("shop", caller, "x-heddle-attempt: 1\r\n")).toBe(200);
    const [request] = outside.requests;
    expect(request?.fields.get("host")).toBe("pay.example");
    const told = [...(request?.fields.keys() ?? [])].filter((name) => /heddle|spiffe/.test(name));
    expect(told).toEqual([]);
    expect(caller.records.of("outbound")[0]).toMatchObject({ service: "pay.default" });
    expect(gate.records.of("inbound")[0]).toMatchObject({ service: "pay.default", source: "shop.default" });
  });

  test("is open to those whom its rules let in, each by its own identity", async () => {
    const { call, outside } = await scene({ access: rule("shop") });
    expect([await call("shop"), await call("guest")]).toEqual([200, 403]);
    expect(outside.requests.length).toBe(1);
  });

  test("is closed to the gateway itself where the rules do not name it", async () => {
    const { call, gate } = await scene({ access: rule("shop") });
    expect(await call("edge", gate)).toBe(403);
  });

  test("is reached from the gateway's own machine without a further connection", async () => {
    const { call, gate } = await scene({ access: rule("edge") });
    expect(await call("edge", gate)).toBe(200);
  });

  test("is not called by a gateway of another name, which callers do not take for it", async () => {
    const { call, outside } = await scene({ shows: "other" });
    expect(await call()).toBe(502);
    expect(outside.requests.length).toBe(0);
  });

  test("is nothing that the gateway knows once its document is gone", async () => {
    const { call, apply, outside } = await scene();
    expect(await call()).toBe(200);
    apply(false);
    expect(await call()).not.toBe(200);
    expect(outside.requests.length).toBe(1);
  });

  test("keeps the host that it was called by where it has no name of its own", async () => {
    const { call, outside } = await scene({ host: "" });
    expect(await call()).toBe(200);
    expect(outside.requests[0]?.fields.get("host")).toBe("pay.mesh");
  });
});
