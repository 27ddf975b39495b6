/** Zones: the nearest first, spill-over by what is well, failover in order, and nothing swings back at once. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { EndpointPicker } from "../../../../src/proxy/balance/endpoint_picker.ts";
import { WeightedRoundRobin } from "../../../../src/proxy/balance/weighted_round_robin.ts";
import { Zones, type ZoneRules } from "../../../../src/proxy/balance/zones.ts";
import { seeded } from "../../../support/chance.ts";
import {
  choiceOf,
  eject,
  serviceOf,
  type TestCandidate,
  type TestService,
} from "../../../support/candidates.ts";

const here: ZoneRules = { zone: "eu-a", region: "eu", order: null };
const names = ["eu-a", "eu-b", "us-a"];

/** Endpoints of three zones, in turn. */
function threeZones(each: number): TestService {
  return serviceOf(each * 3, (at) => {
    const zone = names[at % 3] as string;
    return { zone, region: zone.slice(0, 2) };
  });
}

function inZone({ all }: TestService, zone: string): TestCandidate[] {
  return all.filter((each) => each.zone === zone);
}

function sharesOf(zones: Zones<TestCandidate>, nowMs: number): number[] {
  zones.choose(nowMs);
  return zones.levels.map((_, level) => zones.shareOf(level));
}

/** It comes back by a probe. */
function revive({ health }: TestCandidate, nowMs: number): void {
  health.probe(nowMs, true);
  health.succeeded(health.epoch, nowMs);
}

describe("levels", () => {
  test("are the same zone, the same region, the rest", () => {
    const service = threeZones(2);
    const zones = new Zones(service.all, service.group, here, seeded(1));
    expect(zones.levels.map(({ all }) => all[0]?.zone)).toEqual(names);
    expect(sharesOf(zones, 0)).toEqual([1, 0, 0]);
  });

  test("are in the order that is given, and those that it does not name come last, together", () => {
    const service = threeZones(2);
    const order = ["us-a"];
    const zones = new Zones(service.all, service.group, { ...here, order }, seeded(1));
    expect(zones.levels.map(({ all }) => all.length)).toEqual([2, 4]);
    expect(zones.levels[0]?.all[0]?.zone).toBe("us-a");
  });

  test("are one where zones do not matter, and one without endpoints where there are none", () => {
    const { all, group } = threeZones(2);
    expect(new Zones(all, group, null, seeded(1)).levels.length).toBe(1);
    const none = new Zones<TestCandidate>([], group, here, seeded(1));
    expect([none.levels.length, none.choose(0)]).toEqual([1, 0]);
  });
});

describe("spill-over", () => {
  test("begins below five of seven endpoints that are well, and is all where fewer than two are", () => {
    const service = threeZones(7);
    const zones = new Zones(service.all, service.group, here, seeded(1));
    const local = inZone(service, "eu-a");
    const near: number[] = [];
    for (const each of local) {
      near.push(Number(sharesOf(zones, 0)[0]?.toFixed(2)));
      eject(each, 0);
    }
    expect(near).toEqual([1, 1, 1, 0.8, 0.6, 0.4, 0]);
    expect(sharesOf(zones, 0)).toEqual([0, 1, 0]);
  });

  test("leaves the only endpoint of a zone its requests", () => {
    const { all, group } = threeZones(1);
    expect(sharesOf(new Zones(all, group, here, seeded(1)), 0)).toEqual([1, 0, 0]);
  });

  test("goes to a level only what all nearer ones cannot carry, and together they carry everything", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.nat(2 ** 24 - 1), (each, out) => {
        const service = threeZones(each);
        const zones = new Zones(service.all, service.group, here, seeded(1));
        for (const one of service.all) if ((out & (1 << one.at)) !== 0) eject(one, 0);
        const shares = sharesOf(zones, 0);
        expect(shares.reduce((one, other) => one + other, 0)).toBeCloseTo(1, 9);
        const capacity = names.map((zone) => {
          const local = inZone(service, zone);
          const well = local.filter(({ health }) => !health.ejected).length;
          return well < Math.min(2, each) ? 0 : Math.min(1, (well / each) * 1.4);
        });
        const whole = capacity.reduce((one, other) => one + other, 0);
        if (whole < 1) return;
        let left = 1;
        capacity.forEach((most, level) => {
          expect(shares[level]).toBeCloseTo(Math.min(left, most), 9);
          left -= Math.min(left, most);
        });
      }),
    );
  });

  test("is what requests do: they go where the shares say", () => {
    const service = threeZones(7);
    for (const each of inZone(service, "eu-a").slice(0, 4)) eject(each, 0);
    const zones = new Zones(service.all, service.group, here, seeded(4));
    const counts = [0, 0, 0];
    for (let request = 0; request < 10_000; request++) {
      const level = zones.choose(0);
      counts[level] = (counts[level] ?? 0) + 1;
    }
    expect(Math.abs((counts[0] ?? 0) - 6_000)).toBeLessThan(200);
    expect(counts[2]).toBe(0);
  });
});

describe("hysteresis", () => {
  test("a zone that was lost has its share back after half a minute of being well, not before", () => {
    const service = threeZones(4);
    const zones = new Zones(service.all, service.group, here, seeded(1));
    const local = inZone(service, "eu-a");
    expect(sharesOf(zones, 0)).toEqual([1, 0, 0]);
    for (const each of local) eject(each, 0);
    expect(sharesOf(zones, 0)).toEqual([0, 1, 0]);
    for (const each of local) revive(each, 5_000);
    expect([5_000, 34_999, 35_000].map((nowMs) => sharesOf(zones, nowMs)[0])).toEqual([0, 0, 1]);
  });

  test("a zone that comes and goes within that time stays out", () => {
    const service = threeZones(4);
    const zones = new Zones(service.all, service.group, here, seeded(1));
    const local = inZone(service, "eu-a");
    sharesOf(zones, 0);
    for (let turn = 0; turn < 10; turn++) {
      for (const each of local) eject(each, turn * 20_000);
      expect(sharesOf(zones, turn * 20_000)[0]).toBe(0);
      for (const each of local) revive(each, turn * 20_000 + 10_000);
      expect(sharesOf(zones, turn * 20_000 + 19_000)[0]).toBe(0);
    }
  });

  test("outlives new endpoints: a zone whose endpoints were all gone waits as well", () => {
    const service = threeZones(4);
    const zones = new Zones(service.all, service.group, here, seeded(1));
    sharesOf(zones, 0);
    const away = service.all.filter(({ zone }) => zone !== "eu-a");
    const without = new Zones(away, service.group, here, seeded(1), { previous: zones });
    expect(sharesOf(without, 1_000)).toEqual([1, 0]);
    const again = new Zones(service.all, service.group, here, seeded(1), { previous: without });
    expect(sharesOf(again, 2_000)).toEqual([0, 1, 0]);
    const later = new Zones([...service.all], service.group, here, seeded(1), { previous: again });
    expect([20_000, 32_000].map((nowMs) => sharesOf(later, nowMs)[0])).toEqual([0, 1]);
  });
});

describe("an attempt", () => {
  const pickerOf = ({ all, group }: TestService): EndpointPicker<TestCandidate> =>
    new EndpointPicker({
      endpoints: all,
      health: group,
      zones: here,
      strategy: () => new WeightedRoundRobin(seeded(1)),
      random: seeded(2),
    });

  test("after others goes to another endpoint of the zone, then to another zone, and only then to one again", () => {
    const service = threeZones(2);
    const picker = pickerOf(service);
    const tried: TestCandidate[] = [];
    for (let attempt = 0; attempt < 6; attempt++)
      tried.push(picker.pick(choiceOf({ tried })) as TestCandidate);
    expect(tried.map(({ zone }) => zone)).toEqual(["eu-a", "eu-a", "eu-b", "eu-b", "us-a", "us-a"]);
    expect(new Set(tried).size).toBe(6);
    expect(picker.pick(choiceOf({ tried }))).not.toBeNull();
  });

  test("is the probe of an ejected endpoint when its penalty is over: one, and no retry", () => {
    const service = threeZones(2);
    const picker = pickerOf(service);
    const out = service.all[0] as TestCandidate;
    eject(out, 0);
    const picks = (nowMs: number, tried: TestCandidate[] = []): boolean =>
      picker.pick(choiceOf({ nowMs, tried })) === out;
    expect(picks(999)).toBe(false);
    expect(picks(1_000, [service.all[1] as TestCandidate])).toBe(false);
    expect([picks(1_000), out.health.state]).toEqual([true, "half-open"]);
    expect([picks(1_000), picks(2_000)]).toEqual([false, false]);
    out.health.succeeded(out.health.epoch, 2_000);
    expect(service.group.ejected).toBe(0);
  });

  test("finds an endpoint whatever is ejected and tried", () => {
    const sets = fc.record({
      out: fc.nat(4_095),
      tried: fc.nat(4_095),
      nowMs: fc.nat(3_000),
      each: fc.integer({ min: 1, max: 4 }),
    });
    fc.assert(
      fc.property(sets, ({ out, tried, nowMs, each }) => {
        const service = threeZones(each);
        const picker = pickerOf(service);
        for (const one of service.all) if ((out & (1 << one.at)) !== 0) eject(one, 0);
        const failed = service.all.filter(({ at }) => (tried & (1 << at)) !== 0);
        const free = service.all.filter((one) => !one.health.ejected && !failed.includes(one));
        const picked = picker.pick(choiceOf({ nowMs, tried: failed })) as TestCandidate;
        expect(picked).not.toBeNull();
        if (free.length > 0) expect(failed).not.toContain(picked);
        if (free.length > 0 && picked.health.state !== "half-open") expect(free).toContain(picked);
      }),
    );
  });
});
