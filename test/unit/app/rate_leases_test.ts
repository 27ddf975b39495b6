/** A machine's slices of rates that the mesh shares: what it asks for, what it keeps, and what it goes on with. */
import { expect, test } from "bun:test";
import { RateLeases } from "../../../src/app/rate_leases.ts";
import { SharedRates } from "../../../src/controller/shared_rates.ts";
import { limits } from "../../../src/model/limits.ts";
import type { RateSlice, SliceAsk } from "../../../src/model/rate_slice.ts";
import { ManualClock } from "../../support/clock.ts";

const ask: SliceAsk = { wantedPerSecond: 5, sequence: 0, heldPerSecond: 0 };

class Machine {
  readonly clock = new ManualClock();
  readonly files = new Map<string, string>();
  readonly logs: string[] = [];
  readonly asked: unknown[] = [];
  readonly given: Readonly<Record<string, RateSlice>>[] = [];
  /** What it asks for; the controller's answer, or its absence. */
  asks: Record<string, SliceAsk> = { "web.default": ask };
  away = false;
  readonly shared = new SharedRates({
    clock: this.clock,
    rateOf: (service) => (service === "web.default" ? { perSecond: 100, machines: 1 } : null),
  });
  readonly leases = new RateLeases({
    files: {
      read: async (path) => new TextEncoder().encode(this.files.get(path) ?? ""),
      writeAtomic: async (path, text) => void this.files.set(path, String(text)),
    },
    clock: this.clock,
    path: "rates.json",
    control: {
      call: async (_method, _path, body) => {
        this.asked.push(body);
        if (this.away) throw new Error("nobody is there");
        return { status: 200, body: { slices: this.shared.ask("vm-a", body as Record<string, SliceAsk>) } };
      },
    },
    rates: { asks: () => this.asks, given: (slices) => void this.given.push(slices) },
    log: (text) => this.logs.push(text),
  });

  async turn(): Promise<void> {
    await this.clock.advance(limits.rateSliceAskMs);
    for (let step = 0; step < 10; step++) await Promise.resolve();
  }
}

test("a machine without a shared rate asks for nothing, and one that has one asks each second", async () => {
  const machine = new Machine();
  machine.asks = {};
  machine.leases.begin();
  await machine.turn();
  expect(machine.asked).toEqual([]);
  machine.asks = { "web.default": ask };
  await machine.turn();
  await machine.turn();
  expect(machine.asked.length).toBe(2);
});

test("a service that shares no rate gets no slice", async () => {
  const machine = new Machine();
  machine.asks = { "web.default": ask, "api.default": ask };
  machine.leases.begin();
  await machine.turn();
  expect(Object.keys(machine.given[0] ?? {})).toEqual(["web.default"]);
});

test("the even share is kept on disk, and is what a proxy begins with that starts while the controller is away", async () => {
  const machine = new Machine();
  machine.leases.begin();
  await machine.turn();
  expect(machine.files.get("rates.json")).toBe('{"web.default":100}');
  const next = new Machine();
  next.files.set("rates.json", '{"web.default":100,"broken":"x"}');
  await next.leases.load();
  expect([...next.leases.even]).toEqual([["web.default", 100]]);
});

test("a controller that is away is logged once, and asked again until it answers", async () => {
  const machine = new Machine();
  machine.away = true;
  machine.leases.begin();
  for (let turn = 0; turn < 3; turn++) await machine.turn();
  expect([machine.asked.length, machine.logs.length, machine.given.length]).toEqual([3, 1, 0]);
  machine.away = false;
  await machine.turn();
  expect(machine.given.length).toBe(1);
});
