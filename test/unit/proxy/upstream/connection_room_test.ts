/** Room for connections among pools: never more than there is, and nobody who waits is forgotten. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { Shard } from "../../../../src/http/shard.ts";
import { ManualClock } from "../../../support/clock.ts";
import { ConnectionRoom, type RoomHolder } from "../../../../src/proxy/upstream/connection_room.ts";

/** Wants connections, uses some of those it has, and gives up the others when it is asked to. */
class Pool implements RoomHolder {
  wants = 0;
  used = 0;
  idle = 0;

  constructor(readonly room: ConnectionRoom) {}

  want(): void {
    this.wants++;
    this.roomAgain();
  }

  roomAgain(): void {
    for (; this.wants > 0 && this.idle > 0; this.wants--) {
      this.idle--;
      this.used++;
    }
    for (; this.wants > 0; this.wants--) {
      if (this.room.full) return this.room.wait(this);
      this.room.take(this);
      this.used++;
    }
  }

  release(): void {
    if (this.used === 0) return;
    this.used--;
    this.idle++;
    this.roomAgain();
    if (this.room.wanted) this.giveUpIdle();
  }

  giveUpIdle(): boolean {
    if (this.idle === 0) return false;
    this.idle--;
    this.room.leave();
    if (this.used + this.idle === 0) this.room.empty(this);
    return true;
  }
}

test("there are never more than may be, and once all are released everybody who waits has had one", () => {
  const step = fc.record({ pool: fc.nat(3), act: fc.constantFrom("want", "release", "shrink", "grow") });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 60 }), (max, steps) => {
      const due: (() => void)[] = [];
      const settle = (): void => {
        for (let call = due.shift(); call !== undefined; call = due.shift()) call();
      };
      const clock = Object.assign(new ManualClock(), {
        microtask: (call: () => void) => void due.push(call),
      });
      const room = new ConnectionRoom(new Shard(clock), "pools web", max);
      const pools = Array.from({ length: 4 }, () => new Pool(room));
      let most = max;
      for (const { pool, act } of steps) {
        if (act === "want") pools[pool]?.want();
        else if (act === "release") pools[pool]?.release();
        else room.resize(act === "grow" ? max + 1 : Math.max(1, max - 1));
        settle();
        // Nothing that stands ends because there may be fewer.
        most = Math.max(room.max, most);
        expect(room.open).toBeLessThanOrEqual(most);
        expect(room.open).toBe(pools.reduce((sum, { used, idle }) => sum + used + idle, 0));
        if (!room.full) expect(pools.every(({ wants }) => wants === 0)).toBe(true);
      }
      for (let rounds = 0; pools.some(({ wants, used }) => wants + used > 0); rounds++) {
        expect(rounds).toBeLessThan(200);
        for (const pool of pools) pool.release();
        settle();
      }
    }),
  );
});
