/** When a service manager is told what of a mode. */
import { expect, test } from "bun:test";
import { limits } from "../../../src/model/limits.ts";
import { ManagerReports } from "../../../src/systemd/manager_reports.ts";
import { ManualClock } from "../../support/clock.ts";

function reports(options: { watchdogMs?: number | null; listens?: boolean } = {}) {
  const { watchdogMs = 10_000, listens = true } = options;
  const clock = new ManualClock();
  const mode = { missing: ["the registry"], words: "serving 2 services" };
  const told: string[] = [];
  const manager = { takes: true };
  const notifier = {
    watchdogMs,
    listens,
    tell: (...lines: readonly string[]) => {
      if (manager.takes) told.push(lines.join(" "));
      return manager.takes;
    },
  };
  const made = new ManagerReports(notifier, clock, {
    waitsFor: () => mode.missing,
    status: () => mode.words,
  });
  return { made, clock, mode, manager, takeTold: () => told.splice(0) };
}

test("it is ready once nothing is missing, and not before", () => {
  const { made, clock, mode, takeTold } = reports({ watchdogMs: null });
  made.begin();
  expect(takeTold()).toEqual(["STATUS=waiting for the registry"]);
  mode.missing = ["the first configuration", "a certificate"];
  clock.step(1_000);
  expect(takeTold()).toEqual(["STATUS=waiting for the first configuration and a certificate"]);
  mode.missing = [];
  clock.step(limits.managerReadyLookMs);
  expect(takeTold()).toEqual(["READY=1 STATUS=serving 2 services"]);
  mode.missing = ["the registry"];
  clock.step(20_000);
  expect(takeTold()).toEqual([]);
});

test("what serves at once is ready at once", () => {
  const { made, mode, takeTold } = reports();
  mode.missing = [];
  made.begin();
  expect(takeTold()).toEqual(["READY=1 STATUS=serving 2 services WATCHDOG=1"]);
});

test("the watchdog hears several words within its time, and the status only when it changes", () => {
  const { made, clock, mode, takeTold } = reports();
  mode.missing = [];
  made.begin();
  takeTold();
  clock.step(10_000);
  const told = takeTold();
  expect(told.length).toBeGreaterThanOrEqual(limits.managerPingsPerWatchdog);
  expect(new Set(told)).toEqual(new Set(["WATCHDOG=1"]));
  mode.words = "serving 3 services\nand more";
  clock.step(10_000);
  expect(takeTold()[0]).toBe("STATUS=serving 3 services and more WATCHDOG=1");
});

test("an event loop that stands still says nothing", () => {
  const { made, clock, mode, takeTold } = reports();
  mode.missing = [];
  made.begin();
  takeTold();
  clock.stall(60_000);
  expect(takeTold()).toEqual([]);
});

test("a manager that did not take the word is told again", () => {
  const { made, clock, mode, manager, takeTold } = reports();
  mode.missing = [];
  manager.takes = false;
  made.begin();
  clock.step(1_000);
  manager.takes = true;
  clock.step(limits.managerReadyLookMs);
  expect(takeTold()).toEqual(["READY=1 STATUS=serving 2 services WATCHDOG=1"]);
});

test("only what is ending asks for more time, in steps that end soon after it stands still", () => {
  const { made, clock, mode, takeTold } = reports();
  mode.missing = [];
  made.begin();
  clock.step(60_000);
  expect(takeTold().join(" ")).not.toContain("EXTEND");
  made.stopping();
  const extended = `WATCHDOG=1 EXTEND_TIMEOUT_USEC=${limits.managerExtendMs * 1000}`;
  expect(takeTold()).toEqual(["STOPPING=1 STATUS=finishing what is under way", extended]);
  clock.step(limits.managerExtendMs);
  const told = takeTold();
  expect(told.length).toBeGreaterThanOrEqual(2);
  expect(new Set(told)).toEqual(new Set([extended]));
});

test("one that ends before it is ready says so, and is not ready any more", () => {
  const { made, clock, mode, takeTold } = reports();
  made.begin();
  made.stopping();
  mode.missing = [];
  clock.step(60_000);
  expect(takeTold().join(" ")).not.toContain("READY=1");
});

test("nothing is looked at where nobody listens", () => {
  const { made, clock } = reports({ listens: false });
  made.begin();
  made.stopping();
  expect(clock.waiting).toBe(0);
});
