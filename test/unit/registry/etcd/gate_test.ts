/** Commits of several transactions, where others come in between. */
import { expect, test } from "bun:test";
import { limits } from "../../../../src/model/limits.ts";
import { Gate } from "../../../../src/registry/etcd/gate.ts";
import { EtcdRefusal, type Gateway } from "../../../../src/registry/etcd/gateway.ts";
import { encoded, type WireTxn } from "../../../../src/registry/etcd/gateway_messages.ts";
import { keyNames } from "../../../../src/registry/etcd/key_names.ts";
import type { Transactions } from "../../../../src/registry/etcd/transactions.ts";
import { ManualClock } from "../../../support/clock.ts";

const names = keyNames("/mesh");
const conditions = Array.from({ length: limits.etcdOperationsMax + 10 }, (_, at) => ({
  key: `k${at}`,
  modified: 0,
}));

test("a commit whose conditions took so long to look at that others opened its gate is not taken", async () => {
  const runs = [
    { taken: true, revision: 5 },
    { taken: false, found: [] },
  ];
  const transactions = { run: async () => runs.shift() } as unknown as Transactions;
  const changes: string[] = [];
  const call = async (path: string, body: WireTxn): Promise<unknown> => {
    if (path !== "/v3/kv/txn") return { kvs: [] };
    if (body.success !== undefined) changes.push(JSON.stringify(body.success));
    return { header: { revision: "7" }, succeeded: body.success === undefined };
  };
  const gateway = { call } as unknown as Gateway;
  const gate = new Gate({ gateway, clock: new ManualClock(), names, transactions, lease: "1" });
  const settled = await gate.commit(conditions, [{ do: "delete", key: "k0" }], "mine-1");
  expect(settled.taken).toBe(false);
  expect(changes).toEqual([]);
});

test("a commit of many conditions of which a late one does not hold says which, and does nothing", async () => {
  const late = conditions.length - 3;
  const changes: string[] = [];
  const transactions = { run: async () => ({ taken: true, revision: 5 }) } as unknown as Transactions;
  const call = async (path: string, { compare = [], failure = [], success }: WireTxn): Promise<unknown> => {
    if (path !== "/v3/kv/txn") return {};
    if (success !== undefined) changes.push(JSON.stringify(success));
    if (success !== undefined) return { header: { revision: "7" }, succeeded: true };
    const isThere = (key?: string): boolean => key === encoded(names.of(`k${late}`));
    if (!compare.some(({ key }) => isThere(key))) return { header: { revision: "6" }, succeeded: true };
    const responses = failure.map((each) => ({
      response_range:
        "request_range" in each && isThere(each.request_range.key)
          ? { kvs: [{ key: "", mod_revision: "3" }] }
          : {},
    }));
    return { header: { revision: "6" }, responses };
  };
  const gateway = { call } as unknown as Gateway;
  const gate = new Gate({ gateway, clock: new ManualClock(), names, transactions, lease: "1" });
  const settled = await gate.commit(conditions, [{ do: "put", key: "k0", value: "v" }], "mine-1");
  const found = settled.taken ? [] : settled.found;
  expect(found.flatMap((each, at) => (each === null ? [] : [at]))).toEqual([late]);
  expect(found).toHaveLength(conditions.length + 1);
  // The gate was opened, and that is all.
  expect(changes).toHaveLength(1);
  expect(changes[0]).toContain("request_delete_range");
});

test("a large commit whose piece is gone is given up with the name of it, and not looked at without end", async () => {
  const shut = { commit: "gone-1", pieces: 2, done: 1 };
  let calls = 0;
  const call = async (): Promise<unknown> => {
    if (++calls > 20) throw new Error("it does not end");
    const gate = { key: encoded(names.gate), value: encoded(JSON.stringify(shut)), mod_revision: "5" };
    return { kvs: calls % 2 === 0 ? [gate] : [] };
  };
  const gateway = { call } as unknown as Gateway;
  const transactions = {} as Transactions;
  const gate = new Gate({ gateway, clock: new ManualClock(), names, transactions, lease: "1" });
  expect(gate.finish({ shut, revision: 5 })).rejects.toThrow("its piece /mesh/c/gone-1/000001 is gone");
});

test("a large commit that is not known to be over leaves its pieces to others", async () => {
  const clock = new ManualClock();
  const call = async (path: string): Promise<unknown> => {
    if (path === "/v3/kv/put") return {};
    throw new EtcdRefusal(9, "etcd is out of space");
  };
  const transactions = { run: async () => ({ taken: true, revision: 5 }) } as unknown as Transactions;
  const gate = new Gate({ gateway: { call } as unknown as Gateway, clock, names, transactions, lease: "1" });
  expect(gate.isUnfinished).toBe(false);
  const commit = gate.commit([], [{ do: "put", key: "k", value: "v" }], "mine-1");
  expect(commit).rejects.toThrow("out of space");
  await commit.catch(() => undefined);
  expect(gate.isUnfinished).toBe(true);
});
