/** What a machine tells the controller of endpoints that its proxy has taken out: when, and how often. */
import { describe, expect, test } from "bun:test";
import { EjectionReport } from "../../../src/app/ejection_report.ts";
import type { Ejection } from "../../../src/app/endpoint_states.ts";
import { limits } from "../../../src/model/limits.ts";
import type { EjectedEndpoint } from "../../../src/model/service.ts";
import { ManualClock } from "../../support/clock.ts";

const ejection = (endpoint: string, ejections = 1): Ejection => ({
  service: "web.default",
  endpoint,
  state: "ejected",
  reason: "streak",
  ejections,
  probeInMs: 1_000,
});

function reporting() {
  const clock = new ManualClock();
  const told: (readonly EjectedEndpoint[])[] = [];
  const mesh = { ejected: [] as readonly Ejection[], away: false };
  const control = {
    call: async (_method: string, _path: string, body: unknown) => {
      if (mesh.away) throw new Error("away");
      told.push(body as readonly EjectedEndpoint[]);
      return { status: 200, body: {} };
    },
  };
  const report = new EjectionReport(control, clock, () => mesh.ejected);
  const look = async (): Promise<number> => {
    report.look();
    await clock.advance(limits.ejectionsLookMs);
    return told.length;
  };
  return { clock, mesh, told, look };
}

describe("ejected endpoints", () => {
  test("are told once when they change, and when there are none any more", async () => {
    const { mesh, told, look } = reporting();
    expect(await look()).toBe(0);
    mesh.ejected = [ejection("a")];
    expect([await look(), await look()]).toEqual([1, 1]);
    expect(told[0]).toEqual([
      { service: "web.default", endpoint: "a", reason: "streak", probing: false, probeInMs: 1_000 },
    ]);
    mesh.ejected = [ejection("a", 2)];
    expect(await look()).toBe(2);
    mesh.ejected = [];
    expect([await look(), await look()]).toEqual([3, 3]);
    expect(told[2]).toEqual([]);
  });

  test("are told again while a controller that forgot them may be there", async () => {
    const { clock, mesh, look } = reporting();
    mesh.ejected = [ejection("a")];
    await look();
    await clock.advance(limits.ejectionsRepeatMs);
    expect(await look()).toBe(2);
  });

  test("are told once the controller is there", async () => {
    const { mesh, look } = reporting();
    mesh.ejected = [ejection("a")];
    mesh.away = true;
    expect([await look(), await look()]).toEqual([0, 0]);
    mesh.away = false;
    expect(await look()).toBe(1);
  });

  test("are told up to a bound", async () => {
    const { mesh, told, look } = reporting();
    mesh.ejected = Array.from({ length: limits.ejectionsToldMax + 5 }, (_, at) => ejection(`e${at}`));
    await look();
    expect(told[0]).toHaveLength(limits.ejectionsToldMax);
  });
});
