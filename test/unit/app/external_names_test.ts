/** Names of external services: addresses stand in their place, are looked up again by their time to live, and stay where nobody answers. */
import { expect, test } from "bun:test";
import type { ResolvedAddress } from "../../../runtime/contract.ts";
import { ExternalNames } from "../../../src/app/external_names.ts";
import { limits } from "../../../src/model/limits.ts";
import type { Destination, Endpoint, Snapshot } from "../../../src/model/snapshot.ts";
import { ManualClock } from "../../support/clock.ts";

const endpoint = (address: string): Endpoint => ({
  ...{ id: `${address}:443`, node: "", address, port: 443, labels: {}, ready: true },
});

function snapshotOf(...addresses: readonly string[]): Snapshot {
  const external = { endpoints: [], host: "" };
  const destination = { external, endpoints: addresses.map(endpoint) } as unknown as Destination;
  return { destinations: [destination] } as unknown as Snapshot;
}

function scene(answers: (readonly ResolvedAddress[] | Error)[]) {
  const clock = new ManualClock();
  const [asked, logs]: [string[], string[]] = [[], []];
  let changes = 0;
  const names = new ExternalNames({
    ...{ clock, log: (text) => void logs.push(text), changed: () => void changes++ },
    names: {
      resolve: async (name) => {
        asked.push(name);
        const answer = answers.shift() ?? new Error("no answer");
        if (answer instanceof Error) throw answer;
        return answer;
      },
    },
  });
  const addresses = (snapshot: Snapshot): string[] =>
    names.withAddresses(snapshot).destinations.flatMap((each) => each.endpoints.map(({ id }) => id));
  return { clock, asked, logs, names, addresses, changes: () => changes };
}

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 8; turn++) await Promise.resolve();
};

test("an address is left as it is, and a name is replaced by what it leads to", async () => {
  const told = [
    { address: "192.0.2.2", ttlMs: 60_000 },
    { address: "2001:db8::1", ttlMs: 20_000 },
  ];
  const { addresses, asked, changes } = scene([told]);
  const snapshot = snapshotOf("192.0.2.1", "api.example");
  expect(addresses(snapshot)).toEqual(["192.0.2.1:443"]);
  await turns();
  expect(changes()).toBe(1);
  expect(addresses(snapshot)).toEqual(["192.0.2.1:443", "192.0.2.2:443", "[2001:db8::1]:443"]);
  expect(asked).toEqual(["api.example"]);
});

test("a name is looked up again by its time to live, and what did not change is no change", async () => {
  const one = [{ address: "192.0.2.1", ttlMs: 60_000 }];
  const other = [{ address: "192.0.2.2", ttlMs: 1 }];
  const { clock, addresses, asked, changes } = scene([one, one, other, other]);
  const snapshot = snapshotOf("api.example");
  addresses(snapshot);
  await turns();
  await clock.advance(59_000);
  await turns();
  expect(asked).toHaveLength(1);
  await clock.advance(1_000);
  await turns();
  expect([asked.length, changes()]).toEqual([2, 1]);
  await clock.advance(60_000);
  await turns();
  expect(changes()).toBe(2);
  expect(addresses(snapshot)).toEqual(["192.0.2.2:443"]);
  // However short the time is that it says.
  await clock.advance(limits.externalTtlMinMs - 1);
  await turns();
  expect(asked).toHaveLength(3);
});

test("what is known stays while nobody answers, which is told once", async () => {
  const one = [{ address: "192.0.2.1", ttlMs: 10_000 }];
  const { clock, addresses, logs } = scene([one, new Error("SERVFAIL"), [], one]);
  const snapshot = snapshotOf("api.example");
  addresses(snapshot);
  await turns();
  for (let time = 0; time < 2; time++) {
    await clock.advance(10_000);
    await turns();
    expect(addresses(snapshot)).toEqual(["192.0.2.1:443"]);
  }
  // The second look-up of two that failed, and the one after them.
  expect(logs).toEqual([
    "external: cannot look up api.example: SERVFAIL",
    "external: api.example was found again",
  ]);
});

test("a name that no snapshot has is not followed any more", async () => {
  const one = [{ address: "192.0.2.1", ttlMs: 10_000 }];
  const { clock, addresses, asked } = scene([one, one]);
  addresses(snapshotOf("api.example"));
  await turns();
  addresses(snapshotOf("192.0.2.9"));
  await clock.advance(60_000);
  await turns();
  expect(asked).toHaveLength(1);
});
