/** A budget that many proxies spend from, over a network that loses: what was spent, held and refused, against what really was. */
import { describe, expect, test } from "bun:test";
import { BudgetPool } from "../../../../src/controller/budgets/budget_pool.ts";
import type { BudgetAsks, BudgetGrants } from "../../../../src/model/budget.ts";
import { limits } from "../../../../src/model/limits.ts";
import type { WhenAway } from "../../../../src/proxy/budget/budget_hand.ts";
import {
  BudgetHold,
  Budgets,
  type BudgetKey,
  type HoldRefusal,
} from "../../../../src/proxy/budget/budgets.ts";
import { seeded } from "../../../support/chance.ts";
import { ManualClock } from "../../../support/clock.ts";
import { testMs } from "../../../support/patience.ts";

/** What was spent leaves the window so much later for the controller: a step of it, and the time until it was told. */
const lateMs = 60_000 / 100 + limits.budgetAskMs;

/** A message takes so long at most. */
const slowestMs = 20;

interface Scene {
  readonly proxies: number;
  readonly tokens: number;
  readonly windowMs: number;
  /** Of all proxies together. */
  readonly callsPerSecond: number;
  /** Tokens that a call spends in the middle; it says beforehand between a half and twice as many. */
  readonly spends: number;
  /** Of messages, each way. */
  readonly loss: number;
  readonly whenAway: WhenAway;
}

/** What comes true of calls, as nobody but the test knows it. */
class World {
  readonly clock = new ManualClock();
  readonly chance;
  readonly budgets: Budgets[];
  readonly spent: { atMs: number; tokens: number }[] = [];
  readonly key: BudgetKey;
  readonly seen = { admitted: 0, spent: 0, refusedEarly: 0, refused: 0, away: 0, over: 0, stopped: 0 };
  /** When calls ended, and what was spent and held before. */
  readonly #levels: { atMs: number; level: number }[] = [];
  pool: BudgetPool;
  since = "1";
  /** Nothing comes through. */
  down = false;

  constructor(
    readonly scene: Scene,
    seed: number,
  ) {
    this.chance = seeded(seed);
    const { tokens, windowMs, whenAway } = scene;
    this.key = { name: "team", limit: { tokens, windowMs }, whenAway };
    this.pool = new BudgetPool(this.key.limit, 0);
    this.budgets = Array.from({ length: scene.proxies }, (_, index) => this.#proxy(`vm-${index}`));
  }

  #proxy(name: string): Budgets {
    const ask = (asks: BudgetAsks) => {
      const { promise, resolve, reject } = Promise.withResolvers<BudgetGrants>();
      const lost = (): boolean => this.down || this.chance.unit() < this.scene.loss;
      this.clock.after(limits.budgetAnswerMs, () => reject(new Error("no answer")));
      const delayMs = (): number => 1 + this.chance.unit() * (slowestMs - 1);
      if (!lost())
        this.clock.after(delayMs(), () => {
          const { since } = this;
          const asked = Object.entries(asks).map(
            ([key, each]) => [key, this.pool.ask(name, each, this.clock.now())] as const,
          );
          if (!lost())
            this.clock.after(delayMs(), () => resolve({ since, grants: Object.fromEntries(asked) }));
        });
      return promise;
    };
    return new Budgets({ life: "1", clock: this.clock, ask });
  }

  /** Within the window, and so much before it. */
  recently(beforeMs = 0): number {
    const sinceMs = this.clock.now() - this.scene.windowMs - beforeMs;
    return this.spent.reduce((sum, { atMs, tokens }) => (atMs > sinceMs ? sum + tokens : sum), 0);
  }

  /**
   * Spent and held at most in the time around a refusal that was heard now: what was given back then, and what another call was given,
   * may have been under way.
   */
  async #committed(): Promise<number> {
    const fromMs = this.clock.now() - 2 * slowestMs;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.clock.after(2 * slowestMs, resolve);
    await promise;
    const levels = this.#levels.filter(({ atMs }) => atMs >= fromMs).map(({ level }) => level);
    return Math.max(this.#level, ...levels);
  }

  get #level(): number {
    return this.recently(lateMs) + this.held;
  }

  get held(): number {
    return this.budgets.reduce((sum, budgets) => sum + budgets.held, 0);
  }

  call(): void {
    const budgets = this.budgets[Math.floor(this.chance.unit() * this.budgets.length)] as Budgets;
    const spends = Math.ceil(this.scene.spends * (0.5 + this.chance.unit()));
    const said = Math.ceil(spends * (0.5 + 1.5 * this.chance.unit()));
    budgets.hold([this.key], said, (held) => {
      if (held instanceof BudgetHold) return this.#stream(held, spends);
      if (held.reason === "away") return void this.seen.away++;
      this.seen.refused++;
      void this.#committed().then((committed) => {
        if (committed + said < 0.98 * this.scene.tokens) this.seen.refusedEarly++;
      });
    });
  }

  /** Half of its time it goes by what it said; then it asks for what it needs beyond, and goes no further than it may. */
  #stream(hold: BudgetHold, spends: number): void {
    this.seen.admitted++;
    const forMs = 500 + this.chance.unit() * 3_000;
    if (spends > hold.tokens)
      this.clock.after(forMs / 2, () =>
        hold.extend(spends - hold.tokens, (refusal) => {
          if (refusal !== null) this.seen.stopped++;
        }),
      );
    this.clock.after(forMs, () => {
      this.#levels.push({ atMs: this.clock.now(), level: this.#level });
      const ends = Math.min(spends, hold.tokens);
      hold.settle(ends);
      this.spent.push({ atMs: this.clock.now(), tokens: ends });
      this.seen.spent += ends;
      this.seen.over = Math.max(this.seen.over, this.recently() / this.scene.tokens);
    });
  }

  async run(forMs: number): Promise<void> {
    const untilMs = this.clock.now() + forMs;
    while (this.clock.now() < untilMs) {
      this.call();
      await this.clock.advance((-Math.log(1 - this.chance.unit()) * 1_000) / this.scene.callsPerSecond);
    }
  }

  /** Until no message is under way. */
  async rest(): Promise<void> {
    await this.clock.advance(10_000);
  }
}

const usual: Scene = {
  ...{ proxies: 20, tokens: 60_000, windowMs: 60_000, callsPerSecond: 12, spends: 400 },
  ...{ loss: 0, whenAway: "closed" },
};

describe.each([
  { what: "a sound network", scene: usual },
  { what: "a network that loses a tenth of all messages", scene: { ...usual, loss: 0.1 } },
  {
    what: "one that does, where proxies go on with their shares",
    scene: { ...usual, loss: 0.1, whenAway: "share" } as Scene,
  },
  {
    what: "few proxies and long calls",
    scene: { ...usual, proxies: 3, tokens: 20_000, spends: 2_000, callsPerSecond: 2 },
  },
  { what: "a budget that is never used up", scene: { ...usual, tokens: 500_000, loss: 0.1 } },
])("ten minutes of calls that share a budget: $what", ({ scene }) => {
  test.each(Array.from({ length: 4 }, (_, index) => index + 1))(
    "they spend no more than it is, none is refused while there is enough, and in the end nothing is held (seed %d)",
    async (seed) => {
      const world = new World(scene, seed);
      await world.run(10 * 60_000);
      await world.rest();
      expect(world.seen.admitted).toBeGreaterThan(100);
      expect(world.seen.over).toBeLessThanOrEqual(1.02);
      expect(world.seen.refusedEarly).toBe(0);
      expect(world.held).toBe(0);
      expect(world.pool.outstanding).toBe(0);
    },
    testMs,
  );
});

async function answered(world: World, tokens: number, times: number): Promise<(BudgetHold | HoldRefusal)[]> {
  const answers: (BudgetHold | HoldRefusal)[] = [];
  for (let call = 0; call < times; call++) {
    const budgets = world.budgets[call % world.budgets.length] as Budgets;
    budgets.hold([world.key], tokens, (held) => answers.push(held));
  }
  await world.clock.advance(limits.budgetWaitMs + limits.budgetAnswerMs + 1);
  return answers;
}

const holds = (answers: readonly (BudgetHold | HoldRefusal)[]): BudgetHold[] =>
  answers.filter((each) => each instanceof BudgetHold);

describe("a burst of calls at the same time", () => {
  test("admits as many as fit, whichever proxies they come to", async () => {
    const world = new World({ ...usual, tokens: 10_000 }, 7);
    const answers = await answered(world, 900, 100);
    expect(answers.length).toBe(100);
    expect(holds(answers).length).toBe(11);
    for (const hold of holds(answers)) hold.settle(0);
    await world.rest();
    expect(holds(await answered(world, 10_000, 1)).length).toBe(1);
  });

  test("admits the small one that fits beside a large one that does not", async () => {
    const world = new World({ ...usual, proxies: 1, tokens: 10_000 }, 7);
    const large = answered(world, 9_000, 2);
    const small = answered(world, 900, 1);
    expect(holds(await large).length).toBe(1);
    expect(holds(await small).length).toBe(1);
  });

  test("says when there may be as much again", async () => {
    const world = new World({ ...usual, tokens: 10_000 }, 7);
    for (const hold of holds(await answered(world, 5_000, 2))) hold.settle(5_000);
    await world.clock.advance(20_000);
    const [refused] = (await answered(world, 1, 1)) as HoldRefusal[];
    expect(refused).toMatchObject({ reason: "spent", name: "team" });
    const waitsMs = (refused as HoldRefusal).retryMs;
    expect(waitsMs).toBeGreaterThan(30_000);
    await world.clock.advance(waitsMs);
    expect(holds(await answered(world, 1, 1)).length).toBe(1);
  });

  test("refuses at once what is more than the whole budget", async () => {
    const world = new World({ ...usual, tokens: 10_000 }, 7);
    let told: unknown = null;
    world.budgets[0]?.hold([world.key], 10_001, (held) => (told = held));
    expect(told).toMatchObject({ reason: "spent" });
  });
});

test("more calls than are told of at once are all refused because nothing is left, not because nobody answers", async () => {
  const world = new World({ ...usual, proxies: 1, tokens: 10_000 }, 7);
  expect(holds(await answered(world, 10_000, 1)).length).toBe(1);
  const refused = (await answered(world, 100, 900)) as HoldRefusal[];
  expect(refused.length).toBe(900);
  expect(new Set(refused.map(({ reason }) => reason))).toEqual(new Set(["spent"]));
});

describe("without a controller", () => {
  test("a budget that is closed from now on is closed for the next call, though it was shared before", async () => {
    const world = new World({ ...usual, proxies: 1, whenAway: "share" }, 7);
    for (const hold of holds(await answered(world, 100, 1))) hold.settle(100);
    await world.rest();
    world.down = true;
    const told: (BudgetHold | HoldRefusal)[] = [];
    const key = { ...world.key, whenAway: "closed" } as const;
    world.budgets[0]?.hold([key], 1_000, (held) => told.push(held));
    await world.clock.advance(20_000);
    expect(told).toMatchObject([{ reason: "away" }]);
  });

  test("a budget that is closed then admits nothing that is not in hand", async () => {
    const world = new World(usual, 7);
    for (const hold of holds(await answered(world, 100, 20))) hold.settle(100);
    await world.rest();
    world.down = true;
    const answers = await answered(world, 100, 20);
    expect(answers.map((each) => (each as HoldRefusal).reason)).toEqual(
      Array.from({ length: 20 }, () => "away"),
    );
  });

  test("one that is shared goes on, all proxies together up to the limit, and counts it later", async () => {
    const world = new World({ ...usual, whenAway: "share" }, 7);
    for (const hold of holds(await answered(world, 100, 20))) hold.settle(100);
    await world.rest();
    world.down = true;
    const taken = holds(await answered(world, 1_000, 200));
    expect(taken.length).toBe(20 * 2);
    for (const hold of taken) hold.settle(1_000);
    world.down = false;
    await world.rest();
    expect(world.pool.outstanding).toBe(0);
    expect(world.pool.spent(world.clock.now())).toBe(42_000);
  });

  test("what it was granted ends, though calls that are under way go on and are settled", async () => {
    const world = new World({ ...usual, proxies: 1 }, 7);
    const [hold] = holds(await answered(world, 1_000, 1));
    world.down = true;
    await world.clock.advance(10 * limits.budgetGrantMs);
    expect(world.held).toBe(1_000);
    world.down = false;
    await world.rest();
    expect(world.pool.outstanding).toBe(1_000);
    hold?.settle(700);
    await world.rest();
    expect(world.pool.outstanding).toBe(0);
    expect(world.pool.spent(world.clock.now())).toBe(700);
  });
});

describe("another controller", () => {
  test("hears what was spent and held before it grants anything", async () => {
    const world = new World(usual, 7);
    const before = holds(await answered(world, 1_000, 40));
    for (const hold of before.slice(0, 20)) hold.settle(1_000);
    await world.clock.advance(2_000);
    world.pool = new BudgetPool(world.key.limit, world.clock.now() + 6_000);
    world.since = "2";
    await world.clock.advance(7_000);
    expect(world.pool.spent(world.clock.now())).toBe(20_000);
    expect(world.pool.outstanding).toBe(20_000);
    expect(holds(await answered(world, 1_000, 60)).length).toBe(20);
  });
});

test("a proxy that began anew holds nothing of its life before, and what it held then counts as spent", () => {
  const pool = new BudgetPool({ tokens: 1_000, windowMs: 60_000 }, 0);
  const counts = { granted: 0, spent: 0, returned: 0, inHand: 0, pace: 0, ageMs: 0 };
  const first = pool.ask("vm", { ...counts, life: "1", sequence: 1, wanted: [600] }, 1);
  expect(first.granted).toBe(600);
  expect(pool.ask("vm", { ...counts, life: "2", sequence: 1, wanted: [600] }, 2).granted).toBe(0);
  expect(pool.outstanding).toBe(0);
  expect(pool.spent(3)).toBe(600);
  expect(pool.isIdle(70_000)).toBe(true);
});
