/** When renewals happen: R1, R2, R6 over a clock that the test moves. */
import { describe, expect, test } from "bun:test";
import { Renewal, type Life } from "../../../src/identity/renewal.ts";
import { ManualClock } from "../../support/clock.ts";

const hourMs = 3_600_000;

class Scene {
  readonly clock = new ManualClock();
  readonly attempts: number[] = [];
  readonly told: (string | null)[] = [];
  life: Life | null = this.issued(24 * hourMs);
  problem: string | null = null;
  refused = false;
  lifeMs = 24 * hourMs;
  readonly renewal: Renewal;

  constructor(unit: () => number = () => 0.5, change: (scene: Scene) => void = () => {}) {
    change(this);
    this.renewal = new Renewal({
      clock: this.clock,
      random: { bytes: (count) => new Uint8Array(count), unit },
      life: () => this.life,
      renew: async () => {
        this.attempts.push(this.clock.now());
        if (this.problem !== null) throw new Error(this.problem);
        this.life = this.issued(this.lifeMs);
      },
      refused: () => this.refused,
      attempted: (problem) => void this.told.push(problem),
    });
  }

  issued(lifeMs: number): Life {
    return { issuedMs: this.clock.wallMs(), notAfterMs: this.clock.wallMs() + lifeMs };
  }
}

describe("a certificate", () => {
  test("is renewed at half of its life, again and again", async () => {
    const scene = new Scene();
    await scene.clock.advance(36 * hourMs);
    expect(scene.attempts).toEqual([12 * hourMs, 24 * hourMs, 36 * hourMs]);
    expect(scene.told).toEqual([null, null, null]);
  });

  test("is renewed a tenth of that earlier or later, by chance drawn once", async () => {
    for (const [unit, dueHours] of [
      [0, 10.8],
      [0.999_999_999, 13.2],
    ] as const) {
      const scene = new Scene(() => unit);
      await scene.clock.advance(dueHours * hourMs - 1000);
      expect(scene.attempts).toEqual([]);
      await scene.clock.advance(2000);
      expect(scene.attempts.length).toBe(1);
    }
    let drawn = 0;
    const scene = new Scene(() => (drawn++, 0.5));
    await scene.clock.advance(11 * hourMs);
    expect(drawn).toBe(1);
  });

  test("that is missing is asked for at once", async () => {
    const scene = new Scene(undefined, (one) => (one.life = null));
    await scene.clock.advance(0);
    expect(scene.attempts).toEqual([0]);
  });

  test("that has ended is renewed at once", async () => {
    const scene = new Scene(undefined, (one) => (one.life = { issuedMs: 0, notAfterMs: 1 }));
    await scene.clock.advance(0);
    expect(scene.attempts).toEqual([0]);
  });

  test("is renewed soon after the wall clock jumped", async () => {
    const scene = new Scene();
    await scene.clock.advance(10);
    scene.clock.jump(20 * hourMs);
    await scene.clock.advance(hourMs);
    expect(scene.attempts.length).toBe(1);
  });
});

/** Whose renewals fail from the start, with the longest pauses there are. */
function failing(leftMs: number): Scene {
  return new Scene(
    () => 0.999,
    (one) => {
      const nowMs = one.clock.wallMs();
      one.life = { issuedMs: nowMs - 2 * leftMs, notAfterMs: nowMs + leftMs };
      one.problem = "nobody answers";
    },
  );
}

function pausesOf({ attempts }: Scene): number[] {
  return attempts.slice(1).map((at, index) => at - (attempts[index] ?? 0));
}

describe("a failed renewal", () => {
  test("is tried again for ever, with pauses that grow to a minute", async () => {
    const scene = failing(4 * 24 * hourMs);
    await scene.clock.advance(3 * 24 * hourMs);
    const pauses = pausesOf(scene);
    expect(pauses.slice(0, 4).map(Math.round)).toEqual([100, 200, 400, 799]);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(60_000);
    expect(pauses.slice(20).every((pause) => pause > 59_000)).toBe(true);
    expect(new Set(scene.told)).toEqual(new Set(["nobody answers"]));
    scene.problem = null;
    await scene.clock.advance(60_000);
    expect(scene.told.at(-1)).toBeNull();
    const count = scene.attempts.length;
    await scene.clock.advance(12 * hourMs);
    expect(scene.attempts.length).toBe(count);
  });

  test("is tried again every ten seconds at most once the certificate has ended", async () => {
    const scene = failing(hourMs);
    await scene.clock.advance(2 * hourMs);
    const last = pausesOf(scene).at(-1) ?? Number.NaN;
    expect(Math.round(last)).toBe(9_990);
    const missing = new Scene(
      () => 0.999,
      (one) => {
        one.life = null;
        one.problem = "nobody answers";
      },
    );
    await missing.clock.advance(hourMs);
    expect(Math.round(Math.max(...pausesOf(missing)))).toBe(9_990);
  });

  test("that was refused is tried again in a minute, also when the certificate has ended", async () => {
    const scene = failing(hourMs);
    scene.refused = true;
    await scene.clock.advance(2 * hourMs);
    expect(pausesOf(scene).at(-1)).toBeGreaterThan(59_000);
  });
});

test("a renewal that brings nothing newer is repeated with pauses, not at once", async () => {
  const scene = new Scene(
    () => 0.5,
    (one) => {
      one.life = { issuedMs: 0, notAfterMs: 1 };
      one.lifeMs = 0;
    },
  );
  await scene.clock.advance(10_000);
  expect(scene.attempts.length).toBeLessThan(12);
  expect(scene.attempts.length).toBeGreaterThan(5);
});

describe("a renewal that is asked for", () => {
  test("happens though none is due, and the next one is planned from there", async () => {
    const scene = new Scene();
    await scene.clock.advance(hourMs);
    scene.renewal.soon();
    await scene.clock.advance(0);
    expect(scene.attempts).toEqual([hourMs]);
    await scene.clock.advance(12 * hourMs);
    expect(scene.attempts).toEqual([hourMs, 13 * hourMs]);
    expect(scene.clock.waiting).toBe(1);
  });

  test("while one is under way comes right after it, never beside it", async () => {
    const scene = new Scene();
    scene.renewal.soon();
    scene.renewal.soon();
    scene.renewal.soon();
    await scene.clock.advance(0);
    expect(scene.attempts).toEqual([0, 0]);
  });

  test("after the end does nothing", async () => {
    const scene = new Scene();
    scene.renewal.close();
    scene.renewal.soon();
    await scene.clock.advance(100 * hourMs);
    expect([scene.attempts, scene.clock.waiting]).toEqual([[], 0]);
  });
});
