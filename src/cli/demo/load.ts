/** Steady load on the demo's front door, and the count of what came of it. */
import type { Clock } from "../../../runtime/contract.ts";

export interface Tally {
  answered: number;
  failed: number;
  /** What the first few failures said. */
  readonly complaints: string[];
}

export interface Load {
  readonly tally: Tally;
  stop(): Promise<void>;
}

/** `clients` loops, each sending its next request a moment after the answer to the last. */
export function startLoad(clock: Clock, url: string, clients: number): Load {
  const tally: Tally = { answered: 0, failed: 0, complaints: [] };
  let running = true;
  const loop = async (client: number): Promise<void> => {
    for (let turn = 0; running; turn++) {
      try {
        const answer = await fetch(`${url}?q=load-${client}-${turn}`);
        const text = await answer.text();
        if (answer.ok) tally.answered++;
        else fail(tally, `${answer.status} ${text.slice(0, 200)}`);
      } catch (error) {
        fail(tally, (error as Error).message);
      }
      await new Promise<void>((resolve) => clock.after(10, resolve));
    }
  };
  const loops = Array.from({ length: clients }, (_, client) => loop(client));
  return {
    tally,
    stop: async () => {
      running = false;
      await Promise.all(loops);
    },
  };
}

function fail(tally: Tally, complaint: string): void {
  tally.failed++;
  if (tally.complaints.length < 5) tally.complaints.push(complaint);
}
