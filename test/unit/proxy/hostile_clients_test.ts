/** Clients from outside that mean harm, at a gateway: what each costs is bounded, and whoever comes meanwhile is served. */
import { describe, expect, test } from "bun:test";
import { limits } from "../../../src/model/limits.ts";
import {
  frame,
  getFields,
  headers,
  literal,
  concat,
  blockOf,
  number32,
  opening,
} from "../../support/h2_frames.ts";
import { at, GatewayScene, type Outsider } from "../../support/gateway_scene.ts";
import { frameFlags, frameTypes } from "../../../src/wire/h2/frames.ts";
import { bytesOf } from "../../support/wire.ts";

const port = 80;

async function scene(connectionsMax = 100): Promise<GatewayScene> {
  const it = await GatewayScene.start();
  it.apply({ ...at, name: "shop", port, protocol: "http", connectionsMax });
  return it;
}

const tripped = (it: GatewayScene): readonly string[] => it.planes.machine("vm").records.limits;
const repeat = (count: number, part: (at: number) => Uint8Array): Uint8Array =>
  concat(...Array.from({ length: count }, (_, index) => part(index)));
const hold = async (it: GatewayScene, count: number, from: string): Promise<Outsider[]> => {
  const all: Outsider[] = [];
  for (let index = 0; index < count; index++) {
    const outsider = await it.open({ port, from });
    if (outsider !== null) all.push(outsider);
  }
  return all;
};

describe("a client that is slow", () => {
  test("with its first byte is let go", async () => {
    const it = await scene();
    const client = await it.open({ port });
    await it.net.pass(limits.firstByteMs + 1_000);
    expect(client?.gone).toBe(true);
  });

  test("with its head is answered 408, however regularly a byte comes", async () => {
    const it = await scene();
    const client = await it.open({ port });
    client?.write("GET / HTTP/1.1\r\nhost: shop.example\r\n");
    for (let passed = 0; passed < limits.headMs + 1_000; passed += 1_000) {
      client?.write("x: y\r\n");
      await it.net.pass(1_000);
    }
    expect(client?.text).toStartWith("HTTP/1.1 408");
    expect(client?.gone).toBe(true);
  });

  test("to ask for anything more is let go", async () => {
    const it = await scene();
    const client = await it.open({ port });
    expect(await client?.ask("shop.example")).toBe("200 shop");
    await it.net.pass(limits.keepAliveInboundMs + 1_000);
    expect(client?.gone).toBe(true);
  });
});

const open = headers(1, getFields, false);
const bounded: readonly (readonly [string, Uint8Array, string])[] = [
  [
    "rapid resets",
    concat(
      opening,
      repeat(300, (index) => {
        const id = index * 2 + 1;
        return concat(headers(id, getFields, false), frame(frameTypes.rstStream, 0, id, number32(8)));
      }),
    ),
    "h2ResetsMax",
  ],
  [
    "CONTINUATION without an end",
    concat(
      opening,
      frame(frameTypes.headers, 1, 1, blockOf(getFields)),
      repeat(limits.h2ContinuationsMax + 1, () =>
        frame(frameTypes.continuation, 0, 1, blockOf([["a", "b"]])),
      ),
    ),
    "h2ContinuationsMax",
  ],
  [
    "a head that unfolds to many times its size",
    concat(
      opening,
      frame(
        frameTypes.headers,
        frameFlags.endHeaders | frameFlags.endStream,
        1,
        concat(blockOf(getFields), literal("x-a", "b".repeat(4_000), 0x40), new Uint8Array(2_000).fill(0xbe)),
      ),
    ),
    "h2HeadExcessMax",
  ],
  [
    "PING",
    concat(
      opening,
      repeat(200, () => frame(frameTypes.ping, 0, 0, new Uint8Array(8))),
    ),
    "h2ControlBurstMax",
  ],
  [
    "empty DATA",
    concat(opening, open, frame(frameTypes.data, 0, 1), frame(frameTypes.data, 0, 1)),
    "h2EmptyDataMax",
  ],
];

describe("a client that floods with", () => {
  for (const [what, bytes, limit] of bounded)
    test(`${what} loses its connection alone`, async () => {
      const it = await scene();
      const other = await it.open({ port });
      const client = await it.open({ port });
      client?.send(bytes);
      // What it still sends is read for a moment, so that it hears why.
      await it.net.pass(limits.h2DrainGraceMs + limits.lingerMs);
      expect(client?.gone).toBe(true);
      expect(tripped(it)).toContain(limit);
      expect(await other?.ask("shop.example")).toBe("200 shop");
    });

  test("fields is answered 431, and its connection ends", async () => {
    const it = await scene();
    const client = await it.open({ port });
    const fields = Array.from({ length: limits.fieldCountMax + 1 }, (_, index) => `x-${index}: y\r\n`).join(
      "",
    );
    client?.send(bytesOf(`GET / HTTP/1.1\r\nhost: shop.example\r\n${fields}\r\n`));
    await it.net.settle();
    expect(client?.text).toStartWith("HTTP/1.1 431");
    await it.net.pass(limits.lingerMs);
    expect(client?.gone).toBe(true);
  });
});

describe("where connections are all taken", () => {
  const [crowd, guest] = ["192.0.2.1", "192.0.2.9"];

  test("idle ones of whoever has most give way to others", async () => {
    const it = await scene(100);
    const held = await hold(it, 100, crowd);
    for (const each of held.slice(0, 50)) expect(await each.ask("shop.example")).toBe("200 shop");
    expect(await it.open({ port, from: guest })).toBeNull();
    await it.net.settle();
    expect(held.filter(({ gone }) => gone)).toHaveLength(limits.crowdThinnedMax);
    expect(await it.ask({ port, from: guest }, "shop.example")).toBe("200 shop");
  });

  test("whoever has most gets no more by coming again, and what is under way is not cut", async () => {
    const it = await scene(3);
    const busy = await it.open({ port, from: crowd });
    busy?.write("GET / HTTP/1.1\r\nhost: sho");
    const [first, second] = await hold(it, 2, crowd);
    expect(await it.open({ port, from: crowd })).toBeNull();
    await it.net.settle();
    expect([first?.gone, second?.gone]).toEqual([false, false]);
    await it.net.pass(limits.crowdThinMs);
    expect(await it.open({ port, from: guest })).toBeNull();
    await it.net.settle();
    expect([busy?.gone, first?.gone, second?.gone]).toEqual([false, true, true]);
    busy?.write("p.example\r\n\r\n");
    await it.net.settle();
    expect(busy?.text).toContain("200 OK");
  });
});
