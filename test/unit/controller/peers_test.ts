/** Which of several controllers leads. */
import { expect, test } from "bun:test";
import type { HoldRequest } from "../../../src/api/peer_messages.ts";
import type { ControlClient } from "../../../src/api/control.ts";
import { Peers, type PeersOptions } from "../../../src/controller/peers.ts";
import { limits } from "../../../src/model/limits.ts";
import type { Node } from "../../../src/model/service.ts";
import { ManualClock } from "../../support/clock.ts";

const place = { controllers: [{ host: "10.0.0.1", port: 7001 }], registries: [] };

function scene() {
  const clock = new ManualClock();
  const held: HoldRequest[] = [];
  const node: Node = { name: "vm-2", services: [], publicKey: "", joinedMs: 0, removed: false };
  const nodes = new Map([["vm-2", node]]);
  const catalog = {
    places: new Map([
      ["vm-1", place],
      ["vm-2", place],
    ]),
    holds: new Map(),
    nodes,
  };
  const store: PeersOptions["store"] = {
    hold: async (request) => {
      held.push(request);
      return { held: true, holder: "vm-2", value: "", since: 7 };
    },
    release: async () => {},
  };
  const connect = () => ({ stream: () => ({ close() {} }), close() {} }) as unknown as ControlClient;
  const publisher = () => ({ knownElsewhere() {}, knownBy: () => [] });
  const peers = new Peers({ clock, catalog, store, own: "vm-2", connect, publisher, led: () => {} });
  return { clock, catalog, held, peers, remove: () => nodes.set("vm-2", { ...node, removed: true }) };
}

test("a controller whose machine was removed leads no more, and holds the lead no longer", async () => {
  const { clock, catalog, held, peers, remove } = scene();
  await clock.advance(limits.controllerHoldRenewMs);
  expect(peers.leadsSince).toBe(7);
  remove();
  catalog.places.delete("vm-2");
  expect(peers.leadsSince).toBe(null);
  const before = held.length;
  await clock.advance(10 * limits.controllerHoldRenewMs);
  expect(held.length).toBe(before);
});
