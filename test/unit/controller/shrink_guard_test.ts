/** What a controller makes of a registry that was started again and shows less than before. */
import { describe, expect, test } from "bun:test";
import type { ControlClient, StreamHandler } from "../../../src/api/control.ts";
import type { KnownEntry, RangeAnswer } from "../../../src/api/messages.ts";
import { RegistryFollower } from "../../../src/api/registry_follower.ts";
import { ShrinkGuard } from "../../../src/controller/shrink_guard.ts";
import { limits } from "../../../src/model/limits.ts";
import { ManualClock } from "../../support/clock.ts";

type Shown = Partial<Record<"nodes" | "documents" | "instances", number>>;

function entriesOf(shown: Shown): ReadonlyMap<string, KnownEntry> {
  const keys = Object.entries(shown).flatMap(([kind, count]) =>
    Array.from({ length: count }, (_, at) => `${kind}/${at}`),
  );
  return new Map(keys.map((key) => [key, { key, value: "{}", modified: 1 }]));
}

/** A guard that has taken over a mesh of ten machines, ten documents and ten instances at revision 1. */
class Guarded {
  readonly clock = new ManualClock();
  readonly taken: number[] = [];
  readonly logs: string[] = [];
  readonly guard = new ShrinkGuard({
    clock: this.clock,
    take: (_entries, revision) => void this.taken.push(revision),
    log: (text) => void this.logs.push(text),
  });
  #revision = 0;

  constructor() {
    this.look({ nodes: 10, documents: 10, instances: 10 });
  }

  look(shown: Shown, anew = false): void {
    this.guard.look(entriesOf(shown), ++this.#revision, anew);
  }
}

describe("a registry that was started again", () => {
  test("and lost its machines or its documents, or most of them, is not obeyed until it has them back", () => {
    for (const lost of [
      { nodes: 10, instances: 10 },
      { documents: 10, instances: 10 },
      { nodes: 4, documents: 10, instances: 10 },
      {},
    ]) {
      const guarded = new Guarded();
      guarded.look(lost, true);
      expect(guarded.taken).toEqual([1]);
      expect(guarded.guard.problem).toContain("that is not obeyed");
      // What is told of it from then on stands on the same ground.
      guarded.look({ ...lost, instances: 11 });
      expect(guarded.taken).toEqual([1]);
      guarded.look({ nodes: 10, documents: 9, instances: 10 }, true);
      expect([guarded.taken, guarded.guard.problem]).toEqual([[1, 4], null]);
      expect(guarded.logs).toHaveLength(2);
    }
  });

  test("with most of what it had is obeyed", () => {
    const guarded = new Guarded();
    guarded.look({ nodes: 9, documents: 5, instances: 8 }, true);
    expect([guarded.taken, guarded.guard.problem]).toEqual([[1, 2], null]);
  });

  test("is waited for while instances register themselves anew, and no longer than a lease lives", async () => {
    const guarded = new Guarded();
    guarded.look({ nodes: 10, documents: 10 }, true);
    await guarded.clock.advance(limits.leaseMs - 1);
    expect(guarded.taken).toEqual([1]);
    guarded.look({ nodes: 10, documents: 10, instances: 2 });
    expect(guarded.guard.problem).toContain("2 instances, of 10 that are known");
    await guarded.clock.advance(1);
    expect([guarded.taken, guarded.guard.problem]).toEqual([[1, 3], null]);
    const soon = new Guarded();
    soon.look({ nodes: 10, documents: 10 }, true);
    soon.look({ nodes: 10, documents: 10, instances: 7 });
    expect(soon.taken).toEqual([1, 3]);
    await soon.clock.advance(2 * limits.leaseMs);
    expect([soon.taken, soon.clock.waiting]).toEqual([[1, 3], 0]);
  });
});

test("what a registry deletes in one life is obeyed, and so is a first look", () => {
  const guarded = new Guarded();
  guarded.look({});
  expect(guarded.taken).toEqual([1, 2]);
  const fresh: number[] = [];
  const guard = new ShrinkGuard({
    clock: new ManualClock(),
    take: (_entries, revision) => void fresh.push(revision),
    log: () => undefined,
  });
  guard.look(entriesOf({}), 1, false);
  expect(fresh).toEqual([1]);
});

test("a state that was read in another life of the registry is told as such, once", async () => {
  let epoch = "one";
  let handler: StreamHandler | null = null;
  const told: [number, boolean][] = [];
  const clock = new ManualClock();
  const follower = new RegistryFollower(
    {
      clock,
      random: { bytes: (count) => new Uint8Array(count), unit: () => 0.5 },
      page: async () => ({ epoch, revision: 5, entries: [], next: null }) satisfies RangeAnswer,
      control: {
        stream: (_path: string, lines: StreamHandler) => {
          handler = lines;
          return { send: () => false, close: () => undefined };
        },
      } as unknown as ControlClient,
    },
    "",
    {
      state: (_entries, revision, anew) => void told.push([revision, anew]),
      connection: () => undefined,
    },
  );
  const again = async (): Promise<void> => {
    handler?.line({ kind: "compacted", revision: 5 });
    handler?.ended(null);
    await clock.advance(limits.reconnectMaxMs);
  };
  await clock.advance(0);
  await again();
  epoch = "two";
  await again();
  handler = handler as StreamHandler | null;
  handler?.line({ kind: "changes", revision: 6, partial: false, changes: [] });
  expect(told).toEqual([
    [5, false],
    [5, false],
    [5, true],
    [6, false],
  ]);
  follower.close();
});
