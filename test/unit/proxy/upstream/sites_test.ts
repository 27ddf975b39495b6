/** Which gateways of a network are tried for a connection, and in which order. */
import { describe, expect, test } from "bun:test";
import type { ConnectOptions, DialHandler, SocketError } from "../../../../runtime/contract.ts";
import { limits } from "../../../../src/model/limits.ts";
import { Sites } from "../../../../src/proxy/upstream/sites.ts";
import { ManualClock } from "../../../support/clock.ts";

const away = { host: "10.9.9.9", port: 7445, timeoutMs: 1_000 };

/** Dials that fail by `faults` of the gateway's port, or wait to be told. */
function scene(ports: readonly number[]) {
  const clock = new ManualClock();
  const tried: number[] = [];
  const faults = new Map<number, SocketError["kind"]>();
  const cancelled: number[] = [];
  const later: (() => void)[] = [];
  const sites = new Sites({
    clock,
    gatewaysOf: (network) => (network === "east" ? ports.map((port) => ({ host: "10.0.0.1", port })) : []),
    net: {
      connect: ({ port }: ConnectOptions, dial: DialHandler) => {
        tried.push(port);
        const kind = faults.get(port);
        const fails = (): void =>
          dial.failed({ kind: kind ?? "other", code: "E", message: `${port} failed` });
        if (kind !== undefined) later.push(fails);
        return { cancel: () => void cancelled.push(port) };
      },
    },
  });
  return {
    ...{ clock, faults, cancelled },
    /** Ports that one dial tried, and why it failed at last. */
    dial: (network = "east") => {
      const errors: SocketError[] = [];
      const opened = (): never => {
        throw new Error("opened");
      };
      const handle = sites.to(network).connect(away, { opened, failed: (error) => void errors.push(error) });
      for (let fails = later.shift(); fails !== undefined; fails = later.shift()) fails();
      return { tried: tried.splice(0), error: errors[0] ?? null, handle };
    },
  };
}

describe("gateways of a network", () => {
  test("take turns", () => {
    const { dial } = scene([1, 2, 3]);
    expect([dial().tried, dial().tried, dial().tried, dial().tried]).toEqual([[1], [2], [3], [1]]);
  });

  test("are tried one after the other, so many and no more, and the last one's word is told", () => {
    const { dial, faults } = scene([1, 2, 3, 4]);
    for (const port of [1, 2, 3, 4]) faults.set(port, "refused");
    const { tried, error } = dial();
    expect(tried).toEqual([1, 2, 3]);
    expect(tried.length).toBe(limits.networkGatewaysTriedMax);
    expect(error).toEqual({
      ...{ kind: "unreachable", code: "E", message: "by the gateway 10.0.0.1:3: 3 failed" },
    });
  });

  test("come last while they could not be reached, and in their turn after that", () => {
    const { dial, faults, clock } = scene([1, 2]);
    faults.set(1, "timeout");
    expect(dial().tried).toEqual([1, 2]);
    faults.clear();
    expect([dial().tried, dial().tried, dial().tried]).toEqual([[2], [2], [2]]);
    clock.step(limits.networkGatewayLameMs);
    expect([dial().tried, dial().tried]).toEqual([[1], [2]]);
  });

  test("stay in their turn where the machine behind them failed", () => {
    const { dial, faults } = scene([1, 2]);
    faults.set(1, "reset");
    expect(dial().tried).toEqual([1, 2]);
    expect([dial().tried, dial().tried]).toEqual([[2], [1, 2]]);
  });

  test("are given up with the dial", () => {
    const { dial, cancelled, faults } = scene([1, 2]);
    faults.set(1, "refused");
    dial().handle.cancel();
    expect(cancelled).toEqual([2]);
  });

  test("lead nowhere where there are none: the straight way is left", () => {
    const { dial } = scene([1]);
    expect(dial("north").tried).toEqual([away.port]);
  });
});
