/** Commits of several transactions, where others come in between. */
import { expect, test } from "bun:test";
import { limits } from "../../../../src/model/limits.ts";
import { Gate } from "../../../../src/registry/etcd/gate.ts";
import type { Gateway } from "../../../../src/registry/etcd/gateway.ts";
import type { WireTxn } from "../../../../src/registry/etcd/gateway_messages.ts";
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
