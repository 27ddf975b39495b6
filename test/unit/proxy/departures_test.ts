/**
 * A client that leaves while its call waits: at every way in, and whatever it waits for, all that it held is given back at once.
 * Whole planes on the network in memory, whose dials and places the test holds back.
 */
import { describe, expect, test } from "bun:test";
import type { ConnectOptions, Dial, DialHandler, Net, Runtime } from "../../../runtime/contract.ts";
import { limits } from "../../../src/model/limits.ts";
import type { PolicyChain } from "../../../src/policy/chain.ts";
import { noEdits } from "../../../src/wire/fields.ts";
import { dialHttp2, Heard, request } from "../../support/http_relay.ts";
import { MemoryApp, MemoryCall } from "../../support/memory_http.ts";
import { MemoryNet } from "../../support/memory_net.ts";
import { Planes, type MachinePlan, type Records } from "../../support/planes.ts";
import { bytesOf } from "../../support/wire.ts";

/** Keeps the dials that a test wants to hang, until they are given up. */
class HangingDials implements Net {
  readonly #held = new Set<object>();
  hangs: (options: ConnectOptions) => boolean = () => false;

  constructor(readonly net: MemoryNet) {}

  get held(): number {
    return this.#held.size;
  }

  connect(options: ConnectOptions, dial: DialHandler): Dial {
    if (!this.hangs(options)) return this.net.connect(options, dial);
    this.#held.add(options);
    return { cancel: () => void this.#held.delete(options) };
  }

  listen: Net["listen"] = (options, accept) => this.net.listen(options, accept);
  adopt: Net["adopt"] = () => this.net.adopt();
  secureServer: Net["secureServer"] = (socket, options, received, dial) =>
    this.net.secureServer(socket, options, received, dial);
  originalDestination: Net["originalDestination"] = () => null;
  udp: Net["udp"] = () => this.net.udp();
  adoptUdp: Net["adoptUdp"] = () => this.net.udp();
}

interface Mesh {
  readonly net: MemoryNet;
  readonly planes: Planes;
  readonly app: MemoryApp;
  /** Of machine a, and of machine b. */
  readonly dials: readonly [HangingDials, HangingDials];
}

type Place = "far" | "here";

async function meshOf(place: Place, policies?: PolicyChain): Promise<Mesh> {
  const net = new MemoryNet();
  const dials = [new HangingDials(net), new HangingDials(net)] as const;
  const app = new MemoryApp(net, {
    at: (step, socket) => {
      if (step === "whole") socket.write(bytesOf("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"));
    },
  });
  const served = { web: { app: app.port }, db: { app: app.port } };
  const upstreams = ["web", "db", "late"];
  const caller = { caller: { app: 9, upstreams } };
  const a: MachinePlan = {
    name: "a",
    net: dials[0],
    services: place === "here" ? { ...caller, ...served } : caller,
  };
  const b: MachinePlan = { name: "b", net: dials[1], services: place === "here" ? {} : served };
  const planes = await Planes.inMemory(net, policies === undefined ? a : { ...a, policies }, b);
  const bound = policies === undefined ? [] : [{ hash: "h", name: "p", options: {} }];
  planes.apply({ caller: {}, web: { policies: bound }, db: { protocol: "tcp" } });
  return { net, planes, app, dials };
}

/** A call under way, which `leave` ends. */
interface Call {
  leave(): void;
}

interface Door {
  readonly name: string;
  /** What it calls where the service is known. */
  readonly service: "web" | "db";
  begin(mesh: Mesh, service: string): Promise<Call>;
}

async function callHttp2(mesh: Mesh, port: number, change: Parameters<typeof request>[0]): Promise<Call> {
  const { net } = mesh;
  const dialled = dialHttp2({ net, clock: net.clock } as unknown as Runtime, port);
  await net.settle();
  const client = await dialled;
  await net.settle();
  const stream = client.start(request(change), noEdits, new Heard());
  return { leave: () => stream.cancel() };
}

const caller = (mesh: Mesh, upstream?: string): number => mesh.planes.machine("a").port("caller", upstream);
const get = (service: string): string => `GET /x HTTP/1.1\r\nhost: ${service}.mesh\r\n\r\n`;
const connect = (service: string): string =>
  `CONNECT ${service}.mesh:1 HTTP/1.1\r\nhost: ${service}.mesh:1\r\n\r\n`;

const doors: readonly Door[] = [
  {
    name: "HTTP/1.1",
    service: "web",
    begin: async (mesh, service) => new MemoryCall(mesh.net, caller(mesh), [get(service)]),
  },
  {
    name: "HTTP/1.1 with a body that is not all there",
    service: "web",
    begin: async (mesh, service) => {
      const head = `POST /x HTTP/1.1\r\nhost: ${service}.mesh\r\ncontent-length: 10\r\n\r\n`;
      return new MemoryCall(mesh.net, caller(mesh), [head, "half"]);
    },
  },
  {
    name: "HTTP/2",
    service: "web",
    begin: (mesh, service) => callHttp2(mesh, caller(mesh), { authority: `${service}.mesh` }),
  },
  {
    name: "CONNECT over HTTP/1.1",
    service: "db",
    begin: async (mesh, service) => new MemoryCall(mesh.net, caller(mesh), [connect(service)]),
  },
  {
    name: "CONNECT over HTTP/2",
    service: "db",
    begin: (mesh, service) =>
      callHttp2(mesh, caller(mesh), {
        method: "CONNECT",
        target: "",
        authority: `${service}.mesh:1`,
        upgrade: "connect",
      }),
  },
  {
    name: "a port of its own",
    service: "db",
    begin: async (mesh, service) => new MemoryCall(mesh.net, caller(mesh, service), ["bytes"]),
  },
];

/** What the call waits for, and whether it does. */
interface Wait {
  readonly name: string;
  readonly place: Place;
  readonly service?: string;
  hold(mesh: Mesh, service: string): void;
  waits(mesh: Mesh, service: string): boolean;
}

const destinationOf = (mesh: Mesh, service: string) =>
  mesh.planes.machine("a").plane.state?.destinations.get(`${service}.default`);
const admissionOf = (mesh: Mesh, service: string) => {
  const admission = destinationOf(mesh, service)?.admission;
  if (admission === undefined) throw new Error(`no destination ${service}`);
  return admission;
};

const waits: readonly Wait[] = [
  {
    name: "its share",
    place: "far",
    hold: (mesh, service) => admissionOf(mesh, service).resize(0),
    waits: (mesh, service) => admissionOf(mesh, service).waiting === 1,
  },
  {
    name: "a connection to the other machine",
    place: "far",
    hold: (mesh) => void (mesh.dials[0].hangs = ({ tls }) => tls !== undefined),
    waits: (mesh) => mesh.dials[0].held === 1,
  },
  {
    name: "a connection to the app of the other machine",
    place: "far",
    hold: (mesh) => void (mesh.dials[1].hangs = ({ port }) => port === mesh.app.port),
    waits: (mesh) => mesh.dials[1].held === 1,
  },
  {
    name: "a connection to the app of its own machine",
    place: "here",
    hold: (mesh) => void (mesh.dials[0].hangs = ({ port }) => port === mesh.app.port),
    waits: (mesh) => mesh.dials[0].held === 1,
  },
  {
    name: "word of a service that is not known",
    place: "far",
    service: "late",
    hold: () => {},
    waits: (mesh) => mesh.planes.machine("a").plane.wanted().includes("late.default"),
  },
];

const flags = (records: Records): string[] => records.all.map(({ outcome }) => outcome?.flag ?? "");

for (const door of doors)
  describe(`a client that leaves by ${door.name} while its call waits for`, () => {
    for (const wait of waits)
      test(wait.name, async () => {
        const service = wait.service ?? door.service;
        const mesh = await meshOf(wait.place);
        wait.hold(mesh, service);
        const call = await door.begin(mesh, service);
        await mesh.net.settle();
        expect(wait.waits(mesh, service)).toBe(true);
        const before = mesh.net.clock.now();
        call.leave();
        await mesh.net.settle();
        expect(mesh.net.clock.now()).toBe(before);
        const { records } = mesh.planes.machine("a");
        expect(records.of("outbound").map(({ outcome }) => outcome?.flag)).toEqual(["DC"]);
        expect(
          [...flags(records), ...flags(mesh.planes.machine("b").records)].every((flag) => flag === "DC"),
        ).toBe(true);
        expect([mesh.dials[0].held, mesh.dials[1].held, records.open.size]).toEqual([0, 0, 0]);
        const destination = destinationOf(mesh, service);
        if (destination === undefined) return;
        const { taken, waiting } = destination.admission;
        const pending = [...destination.endpoints.values()].map(({ load }) => load.pending);
        expect({ taken, waiting, pending }).toEqual({ taken: 0, waiting: 0, pending: [0] });
      });
  });

describe("a client that leaves", () => {
  test("before another attempt of its request ends it", async () => {
    const mesh = await meshOf("far");
    await mesh.planes.machine("b").plane.close(0);
    const call = new MemoryCall(mesh.net, caller(mesh), [get("web")]);
    await mesh.net.settle();
    const { records } = mesh.planes.machine("a");
    expect([records.attempts, records.all.length]).toEqual([["web.default first UF"], 0]);
    call.leave();
    await mesh.net.settle();
    expect(flags(records)).toEqual(["DC"]);
    await mesh.net.pass(limits.retryBackoffMs + 1);
    expect(records.attempts).toEqual(["web.default first UF"]);
  });

  for (const version of ["HTTP/1.1", "HTTP/2"] as const)
    test(`by ${version} while policies decide keeps its places until they have, and then nothing is dialled`, async () => {
      let decided = (): void => {};
      const mesh = await meshOf("far", {
        evaluate: (_all, _call, done) => {
          decided = () => done({ do: "next", edits: noEdits, target: null, records: [] });
        },
      });
      const door = doors.find((each) => each.name === version) as Door;
      const call = await door.begin(mesh, "web");
      await mesh.net.settle();
      const { records } = mesh.planes.machine("a");
      const { connections } = mesh.net;
      call.leave();
      await mesh.net.settle();
      expect([admissionOf(mesh, "web").taken, records.all.length]).toEqual([1, 0]);
      decided();
      await mesh.net.settle();
      expect([admissionOf(mesh, "web").taken, flags(records)]).toEqual([0, ["DC"]]);
      expect(mesh.net.connections).toBe(connections);
    });

  test("leaves the dial to whoever else waits for it", async () => {
    const mesh = await meshOf("far");
    mesh.dials[0].hangs = ({ tls }) => tls !== undefined;
    const calls = [1, 2].map(() => new MemoryCall(mesh.net, caller(mesh), [get("web")]));
    await mesh.net.settle();
    calls[0]?.leave();
    await mesh.net.settle();
    expect(mesh.dials[0].held).toBe(1);
    calls[1]?.leave();
    await mesh.net.settle();
    expect(mesh.dials[0].held).toBe(0);
  });
});
