/** The account of what waits in a shard: who has to give way, and how much window is lent. */
import { expect, test } from "bun:test";
import { ownNumbers } from "../../../src/base/shared_numbers.ts";
import { Buffered, Hoard } from "../../../src/http/buffered.ts";
import { limits } from "../../../src/model/limits.ts";
import { loopsOn } from "../../support/loops.ts";

class Account {
  nowMs = 0;
  looks = 0;
  readonly gone: string[] = [];
  readonly buffered: Buffered;

  constructor(bytesMax: number, numbers = ownNumbers) {
    const look = (): void => void this.looks++;
    this.buffered = new Buffered({ nowMs: () => this.nowMs, bytesMax, numbers, look });
  }

  hoard(name: string, bytes: number): Hoard {
    const hoard = new Hoard({
      giveWay: (limit) => {
        this.gone.push(`${name} ${limit}`);
        this.buffered.weigh(hoard, 0);
      },
    });
    this.buffered.weigh(hoard, bytes);
    return hoard;
  }
}

test("near the bound those give way that stand still, the largest first, until there is room again", () => {
  const account = new Account(1_000);
  account.hoard("small and still", 100);
  account.hoard("large and still", 500);
  account.nowMs += limits.bufferedStillMs;
  const going = account.hoard("large and going", 100);
  expect(account.buffered.due).toBe(false);
  account.buffered.weigh(going, 350);
  expect([account.buffered.bytes, account.buffered.due]).toEqual([950, true]);
  account.buffered.relieve();
  expect(account.gone).toEqual(["large and still bufferedBytesMax"]);
  expect([account.buffered.bytes, account.buffered.due]).toEqual([450, false]);
});

test("where nobody stands still it is looked for only now and then, and nobody gives way below the bound", () => {
  const account = new Account(1_000);
  const hoard = account.hoard("going", 900);
  expect(account.buffered.due).toBe(true);
  account.buffered.relieve();
  expect([account.gone, account.buffered.due]).toEqual([[], false]);
  account.nowMs += limits.bufferedLookMs;
  expect(account.buffered.due).toBe(true);
  account.buffered.relieve();
  account.buffered.weigh(hoard, 1_001);
  expect(account.buffered.due).toBe(true);
});

test("at the bound the largest give way first, and of those about as large whoever has waited longest", () => {
  const account = new Account(1_000);
  account.hoard("small", 100);
  const first = account.hoard("first", 300);
  for (const name of ["second", "third", "fourth"]) {
    account.nowMs += 1;
    account.hoard(name, 290);
  }
  account.nowMs += 1;
  account.buffered.moved(first);
  account.buffered.relieve();
  expect([account.gone, account.buffered.bytes]).toEqual([["second bufferedBytesMax"], 980]);
});

test("one that was taken along by another is not told as well", () => {
  const account = new Account(100);
  const other = account.hoard("other", 60);
  const hoard = new Hoard({
    giveWay: () => {
      account.gone.push("connection");
      account.buffered.weigh(hoard, 0);
      account.buffered.weigh(other, 0);
    },
  });
  account.nowMs -= 1;
  account.buffered.weigh(hoard, 60);
  account.buffered.relieve();
  expect([account.gone, account.buffered.bytes]).toEqual([["connection"], 0]);
});

test("windows are lent out of what is left, so that many large ones make each other smaller", () => {
  const { buffered } = new Account(32 * 1024 * 1024);
  const begin = limits.h2StreamWindowBytes;
  const max = limits.h2MeshStreamWindowBytesMax;
  const grown = (): number => {
    let window: number = begin;
    for (let more = -1; more !== 0; window += more) more = buffered.lend(window, max);
    return window;
  };
  const windows = Array.from({ length: 300 }, grown);
  expect(windows[0]).toBe(max);
  expect(windows.at(-1)).toBe(begin);
  expect(windows).toEqual(windows.toSorted((one, other) => other - one));
  expect(buffered.lent).toBe(windows.reduce((sum, each) => sum + each - begin, 0));
  expect(buffered.lent).toBeLessThanOrEqual(32 * 1024 * 1024 * limits.bufferedLentShare);
  for (const window of windows) if (window > begin) buffered.giveBack(window - begin);
  expect([buffered.lent, grown()]).toEqual([0, max]);
});

test("where much waits nothing is lent", () => {
  const account = new Account(1_000_000);
  account.hoard("much", 1_000_000 * limits.bufferedTightShare + 1);
  expect([account.buffered.tight, account.buffered.lend(1_000, 2_000)]).toEqual([true, 0]);
});

test("memory is given back once after much waited, when hardly anything does any more", () => {
  const account = new Account(limits.bufferedBytesMax);
  const hoard = account.hoard("much", limits.bufferedCompactBytes);
  const said = [account.buffered.emptied()];
  account.buffered.weigh(hoard, limits.bufferedCompactBytes / 4);
  said.push(account.buffered.emptied(), account.buffered.emptied());
  account.buffered.weigh(hoard, limits.bufferedCompactBytes / 2);
  account.buffered.weigh(hoard, 0);
  said.push(account.buffered.emptied());
  expect(said).toEqual([false, true, false, false]);
});

test("near the bound readers wait in order, and as many read on as there is room for", () => {
  const account = new Account(16 * limits.inputBytes);
  const hoard = account.hoard("much", 13 * limits.inputBytes);
  const order: number[] = [];
  const ask = (number: number): boolean =>
    account.buffered.mayRead({ readOn: () => void order.push(number) });
  expect([ask(1), ask(2), ask(3), ask(4)]).toEqual([false, false, false, false]);
  account.buffered.relieve();
  expect(order).toEqual([]);
  account.buffered.weigh(hoard, 10 * limits.inputBytes);
  expect(account.buffered.due).toBe(true);
  account.buffered.relieve();
  expect([order, account.buffered.due]).toEqual([[1, 2], true]);
  expect(ask(5)).toBe(false);
  account.buffered.relieve();
  account.buffered.relieve();
  expect([order, account.buffered.due, ask(6)]).toEqual([[1, 2, 3, 4, 5], false, true]);
});

test.each([2, 4])(
  "%i event loops have one bound, and whoever has more than an even part of it gives way",
  (count) => {
    const [one, other] = loopsOn(count).map((numbers) => new Account(1_000, numbers)) as [Account, Account];
    one.hoard("large", 800);
    other.hoard("small", 50);
    for (const each of [one, other]) each.nowMs += limits.bufferedStillMs;
    expect([one.buffered.tight, other.buffered.tight]).toEqual([true, true]);
    for (const each of [other, one]) each.buffered.relieve();
    expect([one.gone, other.gone]).toEqual([["large bufferedBytesMax"], []]);
    expect([one.buffered.tight, other.buffered.tight]).toEqual([false, false]);
  },
);

test("who waits to read looks whether another event loop has made room", () => {
  const [one, other] = loopsOn(2).map((numbers) => new Account(1_000, numbers)) as [Account, Account];
  const hoard = one.hoard("large", 800);
  let reads = 0;
  expect(other.buffered.mayRead({ readOn: () => void reads++ })).toBe(false);
  expect([other.looks, other.buffered.due, other.buffered.isAwaited]).toEqual([1, true, true]);
  other.buffered.relieve();
  expect([reads, other.buffered.due]).toEqual([0, false]);
  one.buffered.weigh(hoard, 0);
  expect(other.buffered.due).toBe(true);
  other.buffered.relieve();
  expect([reads, other.buffered.isAwaited]).toEqual([1, false]);
});

test("windows are lent by all event loops out of one share", () => {
  const accounts = loopsOn(4).map((numbers) => new Account(32 * 1024 * 1024, numbers));
  const begin = limits.h2StreamWindowBytes;
  const lent = (): number => accounts.reduce((sum, { buffered }) => sum + buffered.lent, 0);
  for (let turn = 0; turn < 4_000; turn++)
    (accounts[turn % 4] as Account).buffered.lend(begin, limits.h2LocalStreamWindowBytesMax);
  expect(lent()).toBeLessThanOrEqual(32 * 1024 * 1024 * limits.bufferedLentShare);
  expect(lent()).toBeGreaterThan(0);
});
