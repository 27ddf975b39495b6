import { expect, test } from "bun:test";
import { registryKeys } from "../../../src/api/messages.ts";
import { firstContents } from "../../../src/controller/first_contents.ts";
import { MemoryStore } from "../../../src/registry/memory_store.ts";
import { ManualClock } from "../../support/clock.ts";

test("a registry begins with the first machine and its certificates, also when an attempt before left it there", async () => {
  const store = new MemoryStore(new ManualClock());
  const node = { name: "vm-1", services: [], publicKey: "k", joinedMs: 5, removed: false };
  const valueOf = (key: string): unknown => JSON.parse(store.get(key)?.value ?? "null");
  for (const serial of ["0a", "0b"]) {
    const issued = [{ serial, notAfterMs: 9_000 }];
    expect(await store.commit([], firstContents({ node, issued }, 1_000))).toMatchObject({ ok: true });
    expect(valueOf(`${registryKeys.nodes}vm-1`)).toEqual(node);
    expect(valueOf(`${registryKeys.certificates}vm-1`)).toMatchObject({ lastEndsMs: 9_000, alive: issued });
    expect(store.range("").entries.length).toBe(2);
  }
});
