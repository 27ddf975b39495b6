/** Whose traffic a Machine document takes into the mesh, the slices that tell units apart, and what is read of rules that stand. */
import { describe, expect, test } from "bun:test";
import { readMachine } from "../../../src/app/machine_document.ts";
import { sliceFolder, sliceOf } from "../../../src/intercept/slice.ts";
import { readClearCallers, readStanding } from "../../../src/intercept/standing.ts";
import { redirectedPorts } from "../../../src/model/ports.ts";
import { interceptedUnits } from "../../../src/intercept/units_of.ts";

const unitsIn = (text: string) =>
  interceptedUnits(readMachine({ file: "machine.yaml", text: `{kind: Machine, ${text}}` }));

describe("a unit is intercepted", () => {
  test("as its entry says, by default to virtual addresses and with callers in clear only counted", () => {
    expect(
      unitsIn(
        "services: [{service: web, port: 81, unit: web.service, intercept: {}}, {service: b, port: 82}]",
      ),
    ).toEqual([
      {
        unit: "web.service",
        slice: "mesh-web.slice",
        outbound: "mesh",
        inbound: "audit",
        ports: [81],
        strict: false,
      },
    ]);
  });

  test("with all ports of its instances, as the stricter of their entries says", () => {
    const [shop] = unitsIn(
      "services: [{service: a, ports: [81, 82], unit: shop.service, intercept: {inbound: enforce}}," +
        " {service: b, port: 83, unit: shop.service, intercept: {outbound: all}}]",
    );
    expect(shop).toMatchObject({ outbound: "all", inbound: "enforce", ports: [81, 82, 83] });
  });

  test("with the ports of instances that say nothing of it, too: none of a unit is reached around the mesh", () => {
    const [shop] = unitsIn(
      "services: [{service: a, port: 81, unit: shop.service}," +
        " {service: b, port: 82, unit: shop.service, intercept: {inbound: enforce}}, {service: c, port: 83}]",
    );
    expect(shop).toMatchObject({ inbound: "enforce", ports: [81, 82] });
  });

  test("without a port where it only calls", () => {
    expect(unitsIn("callers: [{unit: job.service, service: job, intercept: {outbound: all}}]")).toEqual([
      {
        unit: "job.service",
        slice: "mesh-job.slice",
        outbound: "all",
        inbound: "audit",
        ports: [],
        strict: false,
      },
    ]);
  });

  test("only where its entry names it", () => {
    expect(() => unitsIn("services: [{service: web, port: 81, intercept: {}}]")).toThrow(
      /this needs the unit/,
    );
  });
});

test("each unit has a slice of its own on one level, whatever letters its name has", () => {
  const units = ["web", "my-app", "my_app", "my:app", "my@app", "my\\x2dapp", "my:uapp", "my"];
  const slices = units.map((name) => sliceOf(`${name}.service`));
  expect(new Set(slices).size).toBe(units.length);
  for (const slice of slices) expect(sliceFolder(slice)).toBe(`mesh.slice/${slice}`);
});

test("the folder of a slice has one for each dash of its name", () => {
  expect(sliceFolder("a-b-c.slice")).toBe("a.slice/a-b.slice/a-b-c.slice");
});

test("of rules that stand it is read what they matched, which are not as they should be any more, and who called in clear", () => {
  const socket = (right: unknown) => ({
    match: { op: "==", left: { socket: { key: "cgroupv2", level: 2 } }, right },
  });
  const redirect = (port: unknown) => ({ redirect: { port } });
  const rule = (comment: string, ...expr: unknown[]) => ({
    rule: { comment, expr: [...expr, { counter: { packets: 3 } }] },
  });
  const elem = { val: { concat: ["10.0.0.7", 8080] }, counter: { packets: 5, bytes: 300 } };
  const nftables = [
    { metainfo: { version: "1.0.6" } },
    { set: { name: "kept4", elem: [{ prefix: { addr: "127.0.0.0", len: 8 } }] } },
    { set: { name: "clear4", elem: [{ elem }] } },
    { set: { name: "clear6" } },
    rule("web.service mesh", socket("mesh.slice/mesh-web.slice"), redirect({ range: [7464, 7479] })),
    rule("shop.service mesh", socket("mesh.slice/mesh-shop.slice"), redirect(7450)),
    rule("web.service all", socket(4711)),
    rule("web.service audit"),
    { rule: { expr: [{ jump: { target: "clear" } }] } },
  ];
  expect(readStanding(JSON.stringify({ nftables }), redirectedPorts)).toEqual({
    rules: [
      { unit: "web.service", what: "mesh", packets: 3, stale: false },
      { unit: "shop.service", what: "mesh", packets: 3, stale: true },
      { unit: "web.service", what: "all", packets: 3, stale: true },
      { unit: "web.service", what: "audit", packets: 3, stale: false },
    ],
    clear: [{ address: "10.0.0.7", port: 8080, packets: 5 }],
  });
});

test("of callers that were written down only those count that are whole, whatever stands there", () => {
  const read = (text: string) => readClearCallers(new TextEncoder().encode(text));
  const caller = { address: "10.0.0.7", port: 8080, packets: 5 };
  expect(
    read(JSON.stringify([caller, { address: 7, port: 1, packets: 1 }, null, { ...caller, packets: "5" }])),
  ).toEqual([caller]);
  for (const text of ["", "{", "{}", "7", "null"]) expect(read(text)).toEqual([]);
  expect(readClearCallers(null)).toEqual([]);
});
