/** Places that clients of several callers share: who gets one at once, who waits, whose turn it is, and what stays free. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Shard } from "../../../../src/http/shard.ts";
import { limits } from "../../../../src/model/limits.ts";
import type { Claim } from "../../../../src/proxy/share/claim.ts";
import { FairGate } from "../../../../src/proxy/share/fair_gate.ts";
import { Flow } from "../../../../src/proxy/share/flow.ts";
import { mayTake } from "../../../../src/proxy/share/share_rule.ts";
import { ManualClock } from "../../../support/clock.ts";

interface Asked {
  readonly claim: Claim<Asked>;
  readonly name: string;
  answer: string;
}

/** A gate, what its clients hold, and what became of those who waited. */
class Scene {
  readonly clock = new ManualClock();
  readonly admitted: string[] = [];
  readonly overdue: string[] = [];
  readonly gate: FairGate<Asked>;
  readonly #flows = new Map<string, Flow>();

  constructor(max: number) {
    this.gate = new FairGate<Asked>({
      shard: new Shard(this.clock),
      name: "requests web",
      max,
      admit: ({ name }) => this.admitted.push(name),
      overdue: ({ name }) => this.overdue.push(name),
    });
  }

  /** `client` is `caller/name`. */
  claim(client: string): Claim<Asked> {
    const flow = this.#flows.get(client) ?? new Flow(client.split("/")[0] as string);
    this.#flows.set(client, flow);
    return flow.claimOn(this.gate);
  }

  ask(client: string): Asked {
    const asked = { claim: this.claim(client), name: client, answer: "" };
    asked.answer = this.gate.ask(asked.claim, asked, this.clock.now());
    return asked;
  }

  /** Takes as much as it gets; returns how much. */
  fill(client: string): number {
    const before = this.claim(client).taken;
    while (this.ask(client).answer === "enters");
    return this.claim(client).taken - before;
  }

  async leave(client: string): Promise<void> {
    this.gate.leave(this.claim(client));
    await Promise.resolve();
  }
}

test("a client that is alone takes half, and much stays free for the next one", () => {
  const scene = new Scene(1_000);
  expect(scene.fill("web/1")).toBe(501);
  expect(scene.fill("web/2")).toBeGreaterThan(100);
  expect(scene.fill("api/1")).toBeGreaterThan(50);
});

test("clients that take all they can and never let go leave room for a newcomer, and more for another caller", () => {
  for (const [greedy, share] of [
    [1, 100],
    [8, 4],
    [16, 1],
  ] as const) {
    const scene = new Scene(1_024);
    for (let client = 0; client < greedy; client++) scene.fill(`web/${client}`);
    const good = scene.fill("web/good");
    expect([greedy, good >= share, scene.ask("web/newcomer").answer]).toEqual([greedy, true, "enters"]);
    expect(scene.fill("api/good")).toBeGreaterThan(50);
  }
});

test("a caller that opens a connection for each request takes no place that another caller needs", () => {
  const scene = new Scene(90);
  let entered = 0;
  for (let client = 0; client < 500; client++) if (scene.ask(`web/${client}`).answer === "enters") entered++;
  expect(entered).toBe(71);
  expect(scene.ask("api/good").answer).toBe("enters");
});

describe("who waits", () => {
  test("has its turn when a place is free and its share allows it, callers in turn and clients in turn", async () => {
    const scene = new Scene(40);
    for (const client of ["a/1", "b/1"]) scene.fill(client);
    for (const client of ["a/2", "a/2", "a/3", "b/2", "c/1"]) scene.fill(client);
    expect(scene.admitted).toEqual([]);
    for (let each = 0; each < 8; each++) await scene.leave("a/1");
    const places = (client: string): number => scene.admitted.filter((each) => each === client).length;
    expect(scene.admitted.length).toBeGreaterThan(2);
    // Who had most waits longest, though it came first.
    expect([places("a/1"), places("a/2") > 0]).toEqual([0, true]);
  });

  test("is overdue after its time, and told once", async () => {
    const scene = new Scene(9);
    scene.fill("web/1");
    const waiting = scene.gate.waiting;
    expect(waiting).toBe(1);
    await scene.clock.advance(limits.pendingMs + 2 * limits.timerTickMs);
    expect([scene.overdue, scene.gate.waiting]).toEqual([["web/1"], 0]);
    await scene.clock.advance(limits.pendingMs * 2);
    expect(scene.overdue).toEqual(["web/1"]);
  });

  test("and gives up takes nobody's turn", async () => {
    const scene = new Scene(9);
    scene.fill("web/1");
    const later = scene.ask("web/1");
    expect(later.answer).toBe("waits");
    expect(scene.gate.waiting).toBe(2);
    scene.gate.forget(later);
    for (let each = 0; each < 5; each++) await scene.leave("web/1");
    expect([scene.admitted, scene.gate.waiting]).toEqual([["web/1"], 0]);
  });

  test("gets what a larger gate has", async () => {
    const scene = new Scene(9);
    scene.fill("web/1");
    scene.gate.resize(18);
    await Promise.resolve();
    expect(scene.admitted).toEqual(["web/1"]);
  });

  test("fills the line to its share, and a newcomer still finds a place in it", () => {
    const scene = new Scene(9);
    scene.fill("web/1");
    let asked = 0;
    while (scene.ask("web/1").answer === "waits") asked++;
    expect(asked).toBeLessThan(limits.pendingMax);
    expect(asked).toBeGreaterThan(limits.pendingMax / 3);
    while (scene.ask("web/2").answer === "enters");
    expect(scene.ask("web/2").answer).toBe("waits");
  });
});

type Step = { readonly client: number; readonly does: "ask" | "leave" | "give up" };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    client: fc.nat(7),
    does: fc.constantFrom(
      "ask" as const,
      "ask" as const,
      "ask" as const,
      "leave" as const,
      "give up" as const,
    ),
  }),
  { maxLength: 400 },
);

/** One that holds nothing is turned back only where nothing is free, or its caller holds far more than that. */
function expectCallerHasItsShare({ gate }: Scene, callerHolds: number): void {
  const free = gate.max - gate.taken;
  expect(callerHolds * gate.max).toBeGreaterThanOrEqual(limits.callerShareFactor * free * free - 1e-6);
}

describe("whatever clients do", () => {
  test("the bound holds, whoever is turned back holds more than its share, and nobody waits who might enter", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 60 }), steps, async (max, all) => {
        const scene = new Scene(max);
        const waiting = new Map<number, Asked[]>();
        for (const { client, does } of all) {
          // Three callers.
          const name = `${client % 3}/${client}`;
          const claim = scene.claim(name);
          if (does === "leave" && claim.taken > 0) await scene.leave(name);
          else if (does === "give up") scene.gate.forget((waiting.get(client)?.pop() ?? {}) as Asked);
          else if (does === "ask") {
            const might = mayTake(max, scene.gate.taken, claim.group.taken, claim.taken);
            const asked = scene.ask(name);
            expect(asked.answer).toBe(might ? "enters" : "waits");
            if (!might && claim.taken === 0) expectCallerHasItsShare(scene, claim.group.taken);
          }
          expect(scene.gate.taken).toBeLessThanOrEqual(max);
          for (let other = 0; other < 8; other++) {
            const { waiters, group, taken } = scene.claim(`${other % 3}/${other}`);
            if (waiters.size > 0) expect(mayTake(max, scene.gate.taken, group.taken, taken)).toBe(false);
          }
        }
      }),
      { numRuns: 200, verbose: true },
    );
  });

  test("places are not wasted: together they hold all but what the last one of them may still take", () => {
    fc.assert(
      fc.property(fc.integer({ min: 30, max: 2_000 }), fc.integer({ min: 1, max: 12 }), (max, clients) => {
        const scene = new Scene(max);
        for (let round = 0; round < 3; round++)
          for (let client = 0; client < clients; client++) scene.fill(`web/${client}`);
        // Holders that come at once hold more than these, who fill up one after the other.
        const least = (0.75 * max * 5 * clients) / (1.6 + 5 * clients);
        expect(scene.gate.taken).toBeGreaterThanOrEqual(Math.floor(least * 0.85) - clients);
      }),
    );
  });
});
