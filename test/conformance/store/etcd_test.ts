/** What several registries over one etcd must hold, with a real one. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { createRuntime } from "../../../runtime/bun/runtime.ts";
import { parseEtcdAddress } from "../../../src/registry/etcd/etcd_address.ts";
import {
  openEtcdStore,
  type EtcdStore,
  type EtcdStoreOptions,
} from "../../../src/registry/etcd/etcd_store.ts";
import { keyNames } from "../../../src/registry/etcd/key_names.ts";
import { encoded } from "../../../src/registry/etcd/gateway_messages.ts";
import type { Operation } from "../../../src/registry/store.ts";
import { hasEtcd, startEtcd, type Etcd } from "../../support/etcd.ts";
import { hangMs, testMs } from "../../support/patience.ts";
import { TcpRelay } from "../../support/tcp_relay.ts";

const { clock, net, random } = createRuntime();
const put = (key: string, value: string): Operation => ({ do: "put", key, value });
let etcd: Etcd;
let number = 0;
const open: EtcdStore[] = [];

beforeAll(async () => {
  if (hasEtcd) etcd = await startEtcd();
}, testMs);
afterAll(async () => {
  for (const store of open) store.close();
  if (hasEtcd) await etcd.stop();
});

async function storeAt(prefix: string, more: Partial<EtcdStoreOptions> = {}): Promise<EtcdStore> {
  const address = parseEtcdAddress(etcd.url(prefix));
  const store = await openEtcdStore({ ...address, tls: null, net, clock, random, ...more });
  if (store === null) throw new Error("etcd was not reached");
  open.push(store);
  return store;
}

async function until(holds: () => boolean): Promise<void> {
  const deadline = Date.now() + hangMs;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error("waited in vain");
    await new Promise((resolve) => clock.after(10, () => resolve(undefined)));
  }
}

// Needs etcd, which is Debian's etcd-server.
describe.skipIf(!hasEtcd)(`stores over one etcd${hasEtcd ? "" : " (needs etcd)"}`, () => {
  test("of commits on the same condition through different registries exactly one wins", async () => {
    const prefix = `both-${number++}`;
    const stores = [await storeAt(prefix), await storeAt(prefix)];
    const results = await Promise.all(
      Array.from({ length: 60 }, (_, at) =>
        stores[at % 2]?.commit([{ key: "token", modified: 0 }], [put("token", String(at))]),
      ),
    );
    expect(results.filter((each) => each?.ok).length).toBe(1);
  });

  test("what was answered by one is current at the other, and soon in its mirror", async () => {
    const prefix = `both-${number++}`;
    const [one, other] = [await storeAt(prefix), await storeAt(prefix)];
    for (let at = 0; at < 20; at++) {
      const result = await one.commit([], [put("k", String(at))]);
      expect((await other.current("k"))?.value).toBe(String(at));
      expect(await other.reached(result.revision)).toBe("here");
      expect(other.get("k")?.value).toBe(String(at));
    }
  });

  test(
    "a revision that etcd itself has not, since it was put back to what it was, will never come",
    async () => {
      const store = await storeAt(`both-${number++}`);
      await store.commit([], [put("k", "v")]);
      expect(await store.reached(store.revision() + 1_000_000)).toBe("never");
    },
    testMs,
  );

  test("a large commit is seen whole or not at all, wherever it is looked at", async () => {
    const prefix = `both-${number++}`;
    const [one, other] = [await storeAt(prefix), await storeAt(prefix)];
    const seen = new Set<string>();
    const watched: number[] = [];
    other.watch("k/", other.revision(), (changes) => void watched.push(changes.length));
    const many = (value: string) => Array.from({ length: 1_500 }, (_, at) => put(`k/${at}`, value));
    const look = setInterval(() => {
      const values = other.range("k/").entries.map(({ value }) => value);
      seen.add(`${new Set(values).size} of ${values.length}`);
    }, 1);
    expect((await one.commit([], many("a"))).ok).toBe(true);
    expect((await other.commit([], many("b"))).ok).toBe(true);
    clearInterval(look);
    expect([...seen].sort().filter((each) => each !== "0 of 0" && each !== "1 of 1500")).toEqual([]);
    expect(watched).toEqual([1_500, 1_500]);
  });

  test("a large commit whose condition fails leaves nothing behind", async () => {
    const prefix = `both-${number++}`;
    const store = await storeAt(prefix);
    await store.commit([], [put("mark", "1")]);
    const many = Array.from({ length: 500 }, (_, at) => put(`k/${at}`, "x"));
    expect(await store.commit([{ key: "mark", modified: 0 }], many)).toMatchObject({
      ok: false,
      reason: "conflict",
      key: "mark",
    });
    expect(store.range("k/").entries).toEqual([]);
    const range = { key: encoded(`${prefix}/c/`), range_end: encoded(`${prefix}/c0`), count_only: true };
    expect(await etcd.call("/v3/kv/range", range)).not.toHaveProperty("count");
  });

  test(
    "a large commit that a registry left half done is finished by another one",
    async () => {
      const prefix = `both-${number++}`;
      const names = keyNames(prefix);
      const store = await storeAt(prefix);
      await etcd.call("/v3/kv/put", {
        key: encoded(names.piece("gone-1", 0)),
        value: encoded(JSON.stringify([put("a", "1")])),
      });
      await etcd.call("/v3/kv/put", {
        key: encoded(names.piece("gone-1", 1)),
        value: encoded(JSON.stringify([put("b", "1")])),
      });
      const shut = { commit: "gone-1", pieces: 2, done: 0 };
      await etcd.call("/v3/kv/put", { key: encoded(names.gate), value: encoded(JSON.stringify(shut)) });
      expect((await store.commit([], [put("c", "1")])).ok).toBe(true);
      expect(store.range("").entries.map(({ key, value }) => key + value)).toEqual(["a1", "b1", "c1"]);
    },
    testMs,
  );

  test(
    "a large commit of a registry that is closed meanwhile is finished whole, or was never begun",
    async () => {
      const prefix = `both-${number++}`;
      const [one, other] = [await storeAt(prefix), await storeAt(prefix)];
      const many = Array.from({ length: 1_500 }, (_, at) => put(`k/${at}`, "x"));
      const shut = new Promise<void>((resolve) => {
        const { call } = etcd;
        const range = { key: encoded(keyNames(prefix).gate) };
        const look = async (): Promise<void> => {
          const { count } = (await call("/v3/kv/range", range)) as { readonly count?: string };
          return count === undefined ? look() : resolve();
        };
        void look();
      });
      const commit = one.commit([], many).catch(() => undefined);
      await shut;
      one.close();
      await commit;
      expect((await other.commit([], [put("after", "1")])).ok).toBe(true);
      expect(other.range("k/").entries).toHaveLength(1_500);
    },
    testMs,
  );

  test(
    "a registry that begins while a large commit stands half done finishes it first",
    async () => {
      const prefix = `both-${number++}`;
      const names = keyNames(prefix);
      await etcd.call("/v3/kv/put", {
        key: encoded(names.piece("gone-2", 0)),
        value: encoded(JSON.stringify([put("a", "2")])),
      });
      const shut = { commit: "gone-2", pieces: 1, done: 0 };
      await etcd.call("/v3/kv/put", { key: encoded(names.gate), value: encoded(JSON.stringify(shut)) });
      const store = await storeAt(prefix);
      expect(store.range("").entries.map(({ key, value }) => key + value)).toEqual(["a2"]);
    },
    testMs,
  );

  test(
    "a commit whose answer is lost counts once, and is answered all the same",
    async () => {
      const prefix = `both-${number++}`;
      const relay = await TcpRelay.to(etcd.members[0]?.port as number);
      const store = await storeAt(prefix, { members: [{ host: "127.0.0.1", port: relay.port }] });
      const base = store.revision();
      let modified = 0;
      for (let at = 0; at < 10; at++) {
        relay.loseAnswers(1, "/v3/kv/txn");
        const result = await store.commit([{ key: "k", modified }], [put("k", String(at))]);
        expect(result.ok).toBe(true);
        modified = store.get("k")?.modified ?? 0;
        expect(modified).toBe(base + 1 + at);
      }
      expect(relay.lost).toBe(10);
      relay.close();
    },
    testMs,
  );

  test(
    "a watch that was away while etcd forgot what it missed finds all that changed",
    async () => {
      const prefix = `both-${number++}`;
      const relay = await TcpRelay.to(etcd.members[0]?.port as number);
      const far = await storeAt(prefix, { members: [{ host: "127.0.0.1", port: relay.port }] });
      const near = await storeAt(prefix);
      await near.commit([], [put("stays", "1"), put("goes", "1"), put("changes", "1")]);
      await until(() => far.get("goes") !== null);
      const told: string[] = [];
      far.watch(
        "",
        far.revision(),
        (changes) =>
          void told.push(
            ...changes.map((each) => (each.kind === "put" ? `+${each.entry.key}` : `-${each.key}`)),
          ),
      );
      relay.cut();
      for (let at = 0; at < 10; at++) await near.commit([], [put("changes", `2-${at}`)]);
      await near.commit([], [{ do: "delete", key: "goes" }, put("comes", "1")]);
      await etcd.call("/v3/kv/compaction", { revision: String(near.revision()) });
      relay.mend();
      await until(() => far.get("goes") === null);
      expect(far.range("")).toEqual(near.range(""));
      expect(told.sort()).toEqual(["+changes", "+comes", "-goes"]);
      relay.close();
    },
    testMs,
  );

  test(
    "a registry that etcd does not answer says so, refuses to commit, and is well again afterwards",
    async () => {
      const prefix = `both-${number++}`;
      const relay = await TcpRelay.to(etcd.members[0]?.port as number);
      const said: (string | null)[] = [];
      const store = await storeAt(prefix, {
        members: [{ host: "127.0.0.1", port: relay.port }],
        changed: (problem) => void said.push(problem),
      });
      await store.commit([], [put("k", "1")]);
      relay.cut();
      await until(() => store.problem() !== null);
      expect(store.get("k")?.value).toBe("1");
      expect(store.commit([], [put("k", "2")])).rejects.toThrow("etcd does not answer");
      relay.mend();
      await until(() => store.problem() === null);
      expect((await store.commit([], [put("k", "2")])).ok).toBe(true);
      expect(said.map((each) => each === null)).toEqual([false, true]);
      relay.close();
    },
    testMs,
  );

  test("a registry whose own lease has ended, as after a long sleep, takes commits all the same", async () => {
    const prefix = `both-${number++}`;
    const store = await storeAt(prefix);
    const endAll = async (): Promise<void> => {
      const { leases } = (await etcd.call("/v3/lease/leases", {})) as { leases: { ID: string }[] };
      for (const { ID } of leases) await etcd.call("/v3/lease/revoke", { ID });
    };
    await endAll();
    expect((await store.commit([], [put("a", "1")])).ok).toBe(true);
    await endAll();
    const many = Array.from({ length: 500 }, (_, at) => put(`k/${at}`, "x"));
    expect((await store.commit([], many)).ok).toBe(true);
    expect(store.range("k/").entries).toHaveLength(500);
    const onLease = [{ do: "put", key: "b", value: "1", lease: "none" }] as const;
    expect(await store.commit([], onLease)).toMatchObject({ ok: false, reason: "no-lease", key: "b" });
  });

  test("a lease that was granted through one registry is renewed and ended through the other", async () => {
    const prefix = `both-${number++}`;
    const [one, other] = [await storeAt(prefix), await storeAt(prefix)];
    await one.lease(`${prefix}/i`, 30_000);
    await one.commit([], [{ do: "put", key: "i", value: "v", lease: `${prefix}/i` }]);
    await other.lease(`${prefix}/i`, 30_000);
    expect(one.get("i")).not.toBeNull();
    await other.revoke(`${prefix}/i`);
    expect(other.get("i")).toBeNull();
    await until(() => one.get("i") === null);
    await one.lease(`${prefix}/i`, 30_000);
    await one.commit([], [{ do: "put", key: "i", value: "w", lease: `${prefix}/i` }]);
    expect((await other.current("i"))?.value).toBe("w");
  });
});

describe.skipIf(!hasEtcd)(`etcd over mTLS${hasEtcd ? "" : " (needs etcd)"}`, () => {
  test(
    "is used with its own roots and a certificate, and a member of other roots is refused",
    async () => {
      const secure = await startEtcd({ tls: true });
      const { members } = parseEtcdAddress(secure.url("mesh"));
      const read = (name: string): string => readFileSync(`${secure.folder}/${name}`, "utf8");
      const credential = { chainPem: read("client.pem"), keyPem: read("client.key") };
      const options = { members, prefix: "mesh", net, clock, random };
      const store = await openEtcdStore({ ...options, tls: { rootsPem: [read("ca.pem")], credential } });
      expect((await store?.commit([], [put("k", "v")]))?.ok).toBe(true);
      store?.close();
      const problems: string[] = [];
      const stranger = { rootsPem: [read("client.pem")], credential };
      const refused = await openEtcdStore(
        { ...options, tls: stranger },
        (problem) => void problems.push(problem),
        () => problems.length > 0,
      );
      expect(refused).toBeNull();
      expect(problems[0]).toContain("cannot reach etcd at 127.0.0.1");
      await secure.stop();
    },
    testMs,
  );
});
