/** Listeners become what is wanted: what stays is not touched, what fails changes nothing, what was inherited is taken or closed. */
import { describe, expect, test } from "bun:test";
import type { ListenOptions, Net, Socket, SocketHandler } from "../../../../runtime/contract.ts";
import { Listeners } from "../../../../src/proxy/listen/listeners.ts";

type Accept = (socket: Socket) => SocketHandler;

const silent: SocketHandler = { data() {}, drain() {}, end() {}, close() {} };

/** Says what is opened, adopted and closed, and accepts when the test says so. */
class FakeNet implements Pick<Net, "listen" | "adopt"> {
  readonly said: string[] = [];
  readonly open = new Map<string, Accept>();
  readonly taken = new Set<number>();
  #free = 40_000;

  listen({ host, port }: ListenOptions, accept: Accept) {
    if (this.taken.has(port)) throw Object.assign(new Error(`${port} is taken`), { name: "ListenError" });
    const bound = port === 0 ? this.#free++ : port;
    return this.#stand(`${host}:${bound}`, "opened", bound, accept);
  }

  adopt(descriptor: number, accept: Accept) {
    return this.#stand(`descriptor ${descriptor}`, "adopted", 0, accept);
  }

  #stand(where: string, how: string, port: number, accept: Accept) {
    this.said.push(`${how} ${where}`);
    this.open.set(where, accept);
    const close = (): void => {
      this.said.push(`closed ${where}`);
      this.open.delete(where);
    };
    return { port, close };
  }
}

const host = "127.0.0.1";
const heard: string[] = [];
const acceptAs = (name: string): Accept => {
  return () => {
    heard.push(name);
    return silent;
  };
};

/** Wants these ports, each named by its number and the round. */
function want(listeners: Listeners, ports: readonly number[], round = "first"): number[] {
  return listeners.reconcile((net) =>
    ports.map((port) => net.listen({ host, port }, acceptAs(`${port} ${round}`)).port),
  );
}

function heardAt(net: FakeNet, where: string): string | undefined {
  heard.length = 0;
  net.open.get(where)?.({} as Socket);
  return heard[0];
}

describe("listeners", () => {
  test("are opened where they are missing and closed where nobody wants them; what stays goes on under its new owner", () => {
    const net = new FakeNet();
    const listeners = new Listeners(net);
    want(listeners, [1, 2]);
    net.said.length = 0;
    want(listeners, [2, 3], "second");
    expect(net.said).toEqual([`opened ${host}:3`, `closed ${host}:1`]);
    expect(heardAt(net, `${host}:2`)).toBe("2 second");
  });

  test("on any free port keep it", () => {
    const net = new FakeNet();
    const listeners = new Listeners(net);
    const first = want(listeners, [0, 0]);
    expect(want(listeners, [0, 0], "second")).toEqual(first);
    expect(net.said.length).toBe(2);
    expect(want(listeners, [0])).toEqual(first.slice(0, 1));
    expect(net.said.at(-1)).toBe(`closed ${host}:${first[1]}`);
  });

  test("are as they were when a port is taken", () => {
    const net = new FakeNet();
    const listeners = new Listeners(net);
    want(listeners, [1, 2]);
    net.taken.add(9);
    net.said.length = 0;
    expect(() => want(listeners, [2, 3, 9], "second")).toThrow("9 is taken");
    expect(net.said).toEqual([`opened ${host}:3`, `closed ${host}:3`]);
    expect([...net.open.keys()]).toEqual([`${host}:1`, `${host}:2`]);
    expect(heardAt(net, `${host}:2`)).toBe("2 first");
  });

  test("take what was inherited at a wanted address, and close what nobody wants of it", () => {
    const net = new FakeNet();
    const listeners = new Listeners(net, [
      { descriptor: 3, host, port: 1 },
      { descriptor: 4, host: "127.0.0.2", port: 2 },
    ]);
    expect(want(listeners, [1, 2])).toEqual([1, 2]);
    expect(net.said).toEqual([
      `opened ${host}:2`,
      "adopted descriptor 3",
      "adopted descriptor 4",
      "closed descriptor 4",
    ]);
    expect(heardAt(net, "descriptor 3")).toBe("1 first");
    want(listeners, [2], "second");
    expect(net.said.at(-1)).toBe("closed descriptor 3");
  });

  test("leave what was inherited alone when a port is taken, for the next time", () => {
    const net = new FakeNet();
    const listeners = new Listeners(net, [{ descriptor: 3, host, port: 1 }]);
    net.taken.add(9);
    expect(() => want(listeners, [1, 9])).toThrow("9 is taken");
    expect(net.said).toEqual([]);
    want(listeners, [1]);
    expect(net.said).toEqual(["adopted descriptor 3"]);
  });

  test("that were closed all together open again on the ports that they had, but for one that somebody took", () => {
    const net = new FakeNet();
    const listeners = new Listeners(net, [{ descriptor: 3, host, port: 1 }]);
    const [, , free] = want(listeners, [1, 2, 0]);
    listeners.close();
    expect(net.open.size).toBe(0);
    net.taken.add(2);
    listeners.reopen();
    expect([...net.open.keys()]).toEqual([`${host}:1`, `${host}:${free}`]);
    net.taken.delete(2);
    listeners.reopen();
    expect(net.open.size).toBe(3);
    expect(heardAt(net, `${host}:2`)).toBe("2 first");
  });
});
