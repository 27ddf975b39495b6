/** Time that a test lets pass on a clock of its own while real sockets go on. */
import type { ManualClock } from "./clock.ts";
import { until } from "./sockets.ts";

const stepMs = 1_000;

/** Sockets go on while the clock does: a step is long enough for a frame to go round. */
export async function pass(clock: ManualClock, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += stepMs) {
    await clock.advance(stepMs);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** What a data plane puts off to the next turn is a matter of its clock too. */
export async function comes(clock: ManualClock, condition: () => boolean, sentence: string): Promise<void> {
  let holds = false;
  const move = async (): Promise<void> => {
    while (!holds) {
      await clock.advance(1);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  };
  const moving = move();
  await until(condition, sentence).finally(() => (holds = true));
  await moving;
}
