/** What a shard knows of the policies of its snapshots. */
import { expect, test } from "bun:test";
import { RemotePolicies } from "../../../../src/app/shards/remote_policies.ts";
import { limits } from "../../../../src/model/limits.ts";
import type { PolicyRef, Snapshot } from "../../../../src/model/snapshot.ts";

const refOf = (number: number): PolicyRef => ({
  ...{ hash: `h${number}`, name: "a", version: "1", onError: "open", cpuMs: 2 },
});

test("policies of the newest snapshots can be asked, and nothing else of these is kept", () => {
  const policies = new RemotePolicies({ send() {}, backlogBytes: () => 0, microtask() {} });
  const parts: WeakRef<object>[] = [];
  const know = (number: number): void => {
    const destinations: never[] = [];
    parts.push(new WeakRef(destinations));
    const snapshot = { policies: [refOf(number)], destinations, locals: [] } as unknown as Snapshot;
    policies.know({ number, snapshot }, []);
  };
  const all = limits.shardSnapshotsKept + 4;
  for (let number = 0; number < all; number++) know(number);
  expect([policies.refOf("h3"), policies.refOf("h4")?.hash]).toEqual([null, "h4"]);
  Bun.gc(true);
  // The collector may take an address on the stack for one of them.
  expect(parts.filter((part) => part.deref() !== undefined).length).toBeLessThanOrEqual(2);
});
