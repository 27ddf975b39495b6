/** What the registry hears of an instance, in which order. */
import { expect, test } from "bun:test";
import { Registration } from "../../../src/app/registration.ts";
import { limits } from "../../../src/model/limits.ts";
import type { Instance } from "../../../src/model/service.ts";
import { ManualClock } from "../../support/clock.ts";

test("an instance is taken back only after a renewal that is under way: one that came later would put it back", async () => {
  const said: string[] = [];
  let arrived = (): void => {};
  const registration = new Registration({
    instance: { id: "a" } as unknown as Instance,
    registrar: {
      register: async () => {
        await new Promise<void>((resolve) => (arrived = resolve));
        said.push("registered");
      },
      deregister: async () => void said.push("taken back"),
    },
    clock: new ManualClock(),
    random: { unit: () => 0.5 },
    changed: () => undefined,
  } as unknown as ConstructorParameters<typeof Registration>[0]);
  registration.tell(true, "the app answers");
  const closed = registration.close();
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  expect(said).toEqual([]);
  arrived();
  await closed;
  expect(said).toEqual(["registered", "taken back"]);
});

test("an instance that a process before registered stands until it is known how it is, and stays where somebody else goes on", async () => {
  const said: string[] = [];
  const registration = new Registration({
    instance: { id: "a", ready: false } as unknown as Instance,
    registrar: {
      register: async ({ ready }: Instance) => void said.push(`ready: ${ready}`),
      deregister: async () => void said.push("taken back"),
    },
    clock: new ManualClock(),
    random: { unit: () => 0.5 },
    changed: () => undefined,
  } as unknown as ConstructorParameters<typeof Registration>[0]);
  expect(said).toEqual([]);
  registration.tell(true, "the app answers");
  await registration.close(true);
  expect(said).toEqual(["ready: true"]);
});

test("an instance of which nothing is known for long is registered as not ready", async () => {
  const said: string[] = [];
  const clock = new ManualClock();
  const registration = new Registration({
    instance: { id: "a", ready: false } as unknown as Instance,
    registrar: {
      register: async ({ ready }: Instance) => void said.push(`ready: ${ready}`),
      deregister: async () => undefined,
    },
    clock,
    random: { unit: () => 0.5 },
    changed: () => undefined,
  } as unknown as ConstructorParameters<typeof Registration>[0]);
  await clock.advance(limits.leaseRenewMs - 1);
  expect(said).toEqual([]);
  await clock.advance(1);
  expect(said).toEqual(["ready: false"]);
  await registration.close();
});
