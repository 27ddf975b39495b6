/** What a registry knows of a commit of which it had no answer. */
import { expect, test } from "bun:test";
import { limits } from "../../../../src/model/limits.ts";
import { EtcdLost, EtcdRefusal, grpcNotFound, type Gateway } from "../../../../src/registry/etcd/gateway.ts";
import { keyNames } from "../../../../src/registry/etcd/key_names.ts";
import { Transactions } from "../../../../src/registry/etcd/transactions.ts";
import { StoreUnavailable } from "../../../../src/registry/store.ts";
import { ManualClock } from "../../../support/clock.ts";

test("a commit that is refused after an attempt without an answer is not said to be undone", async () => {
  const clock = new ManualClock();
  const answers = [new EtcdLost("it is away"), new EtcdRefusal(grpcNotFound, "there is no such lease")];
  const gateway = { call: () => Promise.reject(answers.shift()) } as unknown as Gateway;
  const options = { gateway, clock, names: keyNames("/mesh"), writer: "w", lease: "1" };
  const run = new Transactions(options).run({ compare: [], success: [], look: [] });
  const told = run.catch((error: unknown) => error);
  await clock.advance(limits.reconnectMs);
  expect(await told).toBeInstanceOf(StoreUnavailable);
});
