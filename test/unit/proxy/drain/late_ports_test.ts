/** The end of a data plane whose ports others listen at, who let go of them a while after they were told. */
import { expect, test } from "bun:test";
import { limits } from "../../../../src/model/limits.ts";
import { Drain } from "../../../../src/proxy/drain/drain.ts";
import { ManualClock } from "../../../support/clock.ts";

class Scene {
  readonly clock = new ManualClock();
  readonly told: string[] = [];
  letGo: () => void = () => {};
  readonly drain = new Drain({
    clock: this.clock,
    listeners: {
      close: () => void this.told.push("close"),
      reopen: () => void this.told.push("reopen"),
    },
    open: {
      ...{ size: 0, retire: () => {} },
      whenGone: (call) => call(),
      settled: () => new Promise((done) => (this.letGo = done)),
    },
  });

  /** Lets so much time pass, and everything happen that follows. */
  async pass(ms: number): Promise<void> {
    await turns();
    await this.clock.advance(ms);
    await turns();
  }
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

test.each(["run", "cede"] as const)("%s waits until they take nothing any more", async (how) => {
  const scene = new Scene();
  let isOver = false;
  const over = scene.drain[how](10_000).then(() => (isOver = true));
  await scene.pass(2 * limits.drainArriveMs);
  expect([isOver, scene.told]).toEqual([false, ["close"]]);
  scene.letGo();
  await scene.pass(limits.drainArriveMs - 1);
  expect(isOver).toBe(false);
  await scene.pass(1);
  await over;
  expect(scene.told).toEqual(["close"]);
});
