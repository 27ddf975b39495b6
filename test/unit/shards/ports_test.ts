/** Ports that a keeper binds and its event loops accept from: given up, handed over again, and left to others for a while. */
import { beforeEach, describe, expect, test } from "bun:test";
import type { Listener, Socket, SocketHandler } from "../../../runtime/contract.ts";
import { BoundPorts, type StandingPort } from "../../../src/shards/bound_ports.ts";
import { HandedPorts } from "../../../src/shards/handed_ports.ts";
import { FakeSocket } from "../../support/fake_socket.ts";

const at = { host: "127.0.0.1", port: 80 };
const silent: SocketHandler = { data() {}, drain() {}, end() {}, close() {} };

/** Descriptors as a process has them: who listens on which, and what was closed. */
class Descriptors {
  readonly accepting = new Map<number, (socket: Socket) => SocketHandler>();
  readonly closed: number[] = [];
  accepted = 0;
  #last = 100;

  readonly ports = new HandedPorts({
    net: {
      adopt: (descriptor: number, accept: (socket: Socket) => SocketHandler): Listener => {
        this.accepting.set(descriptor, accept);
        const close = (): void => {
          this.accepting.delete(descriptor);
          this.closed.push(descriptor);
        };
        return { port: 0, close };
      },
    },
    ports: { duplicate: () => ++this.#last },
    accepted: () => this.accepted++,
  });

  /** Connections that it takes there; 0: none. */
  connect(): void {
    for (const accept of this.accepting.values()) accept(new FakeSocket());
  }
}

describe("a port that was handed over", () => {
  test("is listened at on a duplicate, whichever comes first, the descriptor or the wish", () => {
    for (const order of ["handed", "wanted"]) {
      const host = new Descriptors();
      if (order === "handed") host.ports.handed(at.host, at.port, 7);
      host.ports.listen(at, () => silent);
      if (order === "wanted") host.ports.handed(at.host, at.port, 7);
      expect([...host.accepting.keys()]).toEqual([101]);
      host.connect();
      expect(host.accepted).toBe(1);
    }
  });

  test("is left to others for a while and taken again, and stays bound meanwhile", () => {
    const host = new Descriptors();
    host.ports.handed(at.host, at.port, 7);
    host.ports.listen(at, () => silent);
    host.ports.change(false);
    expect([[...host.accepting.keys()], host.closed]).toEqual([[], [101]]);
    host.ports.change(true);
    expect([...host.accepting.keys()]).toEqual([102]);
  });

  test("is given up whole, and listened at again by the same way in when it is handed over anew", () => {
    const host = new Descriptors();
    let came = 0;
    host.ports.handed(at.host, at.port, 7);
    const listener = host.ports.listen(at, () => (came++, silent));
    host.ports.shut(at.host, at.port);
    expect([[...host.accepting.keys()], host.closed.sort()]).toEqual([[], [101, 7].sort()]);
    host.ports.handed(at.host, at.port, 9);
    host.connect();
    expect(came).toBe(1);
    listener.close();
    expect(host.accepting.size).toBe(0);
  });

  test("is accepted from by the last one to let go of it, however far ahead it is, until it lets go too", () => {
    const host = new Descriptors();
    host.ports.handed(at.host, at.port, 7);
    host.ports.listen(at, () => silent);
    host.ports.change(false);
    host.ports.shut(at.host, at.port, true);
    expect([...host.accepting.keys()]).toEqual([102]);
    host.ports.change(false);
    host.connect();
    expect(host.accepted).toBe(1);
    host.ports.shut(at.host, at.port);
    expect([[...host.accepting.keys()], host.closed]).toEqual([[], [101, 102, 7]]);
    // Another time it is a port like any other.
    host.ports.handed(at.host, at.port, 9);
    expect(host.accepting.size).toBe(0);
  });

  test("is not taken while the loop leaves what comes to others", () => {
    const host = new Descriptors();
    host.ports.change(false);
    host.ports.listen(at, () => silent);
    host.ports.handed(at.host, at.port, 7);
    expect(host.accepting.size).toBe(0);
  });

  test("that nobody wants any more is taken by who wants it next", () => {
    const host = new Descriptors();
    host.ports.handed(at.host, at.port, 7);
    const first = host.ports.listen(at, () => silent);
    let second = 0;
    host.ports.listen(at, () => (second++, silent));
    // The end of the one before ends nothing of the one after.
    first.close();
    host.connect();
    expect(second).toBe(1);
  });
});

describe("a port that a keeper binds", () => {
  const at = { host: "127.0.0.1", port: 8_080 };
  const told: string[] = [];
  let bound = 0;
  let closed = 0;
  /** Each says that those that had the port have let go of it, all but one. */
  let letGo: (() => void)[] = [];
  let ports: BoundPorts;
  beforeEach(() => {
    told.length = bound = closed = 0;
    letGo = [];
    const say = (what: string) => (port: StandingPort) => void told.push(`${what} ${port.stands}`);
    ports = new BoundPorts({
      bind: () => ({ port: 8_080, descriptor: 7 + bound++, close: () => void closed++ }),
      opened: say("opened"),
      closed: (port) => {
        say("closed")(port);
        return new Promise((done) => void letGo.push(done));
      },
      left: say("left"),
    });
  });

  test("is told when it is opened and given up, once each, and stays open until the last one alone has it", async () => {
    const listener = ports.listen({ ...at, port: 0 });
    expect([listener.port, [...ports.all].length]).toEqual([8_080, 1]);
    listener.close();
    listener.close();
    expect(told).toEqual(["opened true", "closed false"]);
    expect([closed, [...ports.all].length]).toEqual([0, 0]);
    letGo[0]?.();
    await Promise.resolve();
    expect([closed, told.at(-1)]).toEqual([1, "left false"]);
  });

  test("that is wanted again before all have let go of it is the same one", async () => {
    const first = ports.listen(at);
    first.close();
    const second = ports.listen(at);
    letGo[0]?.();
    await Promise.resolve();
    expect([bound, closed]).toEqual([1, 0]);
    expect(told).toEqual(["opened true", "closed false", "opened true"]);
    second.close();
    letGo[1]?.();
    await Promise.resolve();
    expect([bound, closed]).toEqual([1, 1]);
    ports.listen(at);
    expect(bound).toBe(2);
  });
});
