/** Ports that a keeper binds and its event loops accept from: given up, handed over again, and left to others for a while. */
import { describe, expect, test } from "bun:test";
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

test("ports that a keeper binds are told when they are opened and given up, once each", () => {
  const told: string[] = [];
  const say = (what: string) => (port: StandingPort) => void told.push(`${what} ${port.port} ${port.stands}`);
  let closed = 0;
  const bind = () => ({ port: 8_080, descriptor: 7, close: () => void closed++ });
  const ports = new BoundPorts({ bind, opened: say("opened"), closed: say("closed") });
  const listener = ports.listen({ host: "127.0.0.1", port: 0 });
  expect([listener.port, [...ports.all].length]).toEqual([8_080, 1]);
  listener.close();
  listener.close();
  expect(told).toEqual(["opened 8080 true", "closed 8080 false"]);
  expect([closed, [...ports.all].length]).toEqual([1, 0]);
});
