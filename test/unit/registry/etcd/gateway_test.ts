/** Which member of a cluster is asked. */
import { expect, test } from "bun:test";
import type { Net } from "../../../../runtime/contract.ts";
import { EtcdLost, Gateway } from "../../../../src/registry/etcd/gateway.ts";
import { limits } from "../../../../src/model/limits.ts";
import { ManualClock } from "../../../support/clock.ts";

test("a call that waited for a connection goes to the member that is asked by then", async () => {
  const dialled: string[] = [];
  const refusals: (() => void)[] = [];
  const connect: Net["connect"] = ({ host }, dial) => {
    dialled.push(host);
    refusals.push(() => dial.failed({ kind: "refused", code: "ECONNREFUSED", message: "refused" }));
    return { cancel: () => undefined };
  };
  const gateway = new Gateway({
    net: { connect } as Net,
    clock: new ManualClock(),
    members: [
      { host: "first", port: 1 },
      { host: "second", port: 1 },
    ],
    tls: null,
  });
  const calls = Array.from({ length: limits.etcdConnectionsMax + 1 }, () =>
    gateway.call("/v3/kv/range", {}).catch((error: unknown) => error),
  );
  await Promise.resolve();
  expect(new Set(dialled)).toEqual(new Set(["first"]));
  refusals[0]?.();
  await calls[0];
  await new Promise((resolve) => setImmediate(resolve));
  expect(dialled.at(-1)).toBe("second");
  expect(gateway.member.host).toBe("second");
  for (const refuse of refusals) refuse();
  expect(await calls.at(-1)).toBeInstanceOf(EtcdLost);
  gateway.close();
});
