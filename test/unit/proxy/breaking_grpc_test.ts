/** One of two instances that speak gRPC fails, in whole planes in memory: its status takes it out, wherever that stands. */
import { describe, expect, test } from "bun:test";
import { endpointState } from "../../../src/app/endpoint_states.ts";
import { Shard } from "../../../src/http/shard.ts";
import { limits } from "../../../src/model/limits.ts";
import { noEdits } from "../../../src/wire/fields.ts";
import { frameTypes } from "../../../src/wire/h2/frames.ts";
import { profiles } from "../../../src/wire/h2/settings.ts";
import { data, headers, settings, type FieldList } from "../../support/h2_frames.ts";
import { listenPeer, type H2Peer } from "../../support/h2_peer.ts";
import { dialHttp2, Heard, request } from "../../support/http_relay.ts";
import { MemoryNet } from "../../support/memory_net.ts";
import { Planes } from "../../support/planes.ts";
import { fieldsOf } from "../../support/wire.ts";

const head: FieldList = [
  [":status", "200"],
  ["content-type", "application/grpc"],
];
const status = (code: number): FieldList => [["grpc-status", String(code)]];
type Say = (stream: number) => Uint8Array[];
const inHead =
  (code: number): Say =>
  (stream) => [headers(stream, [...head, ...status(code)], true)];
const inTrailers =
  (code: number, ...messages: readonly string[]): Say =>
  (stream) => [
    headers(stream, head, false),
    ...messages.map((message) => data(stream, message)),
    headers(stream, status(code)),
  ];

/** What of `calls` calls the first of two instances got, how the two are then, and why. */
async function sentTo(
  first: Say,
  calls: number,
): Promise<{
  readonly sent: number;
  readonly states: readonly string[];
  readonly ejections: readonly string[];
}> {
  const net = new MemoryNet();
  const apps = [listenPeer({ net }), listenPeer({ net })];
  const planes = await Planes.inMemory(
    net,
    { name: "a", services: { caller: { app: 9, upstreams: ["web"] } } },
    ...apps.map((app, at) => ({ name: `web-${at}`, services: { web: { app: app.port } } })),
  );
  planes.apply({ caller: {}, web: { protocol: "grpc" } });
  const caller = planes.machine("a");
  const shard = new Shard(net.clock);
  const dialled = dialHttp2({ net, clock: net.clock }, caller.port("caller", "web"), {
    profile: profiles.app,
    shard,
  });
  await net.settle();
  const client = await dialled;
  const answered = new Map<H2Peer, number>();
  let sent = 0;
  const answer = async (): Promise<void> => {
    for (const [at, app] of apps.entries())
      for (const peer of app.peers) {
        const asked = peer.of(frameTypes.headers);
        const before = answered.get(peer) ?? 0;
        if (asked.length === before) continue;
        if (before === 0) peer.send(settings());
        answered.set(peer, asked.length);
        if (at === 0) sent++;
        peer.send(...(at === 0 ? first : inTrailers(0, "m"))(asked.at(-1)?.streamId ?? 0));
        await net.settle();
      }
  };
  for (let call = 0; call < calls; call++) {
    client.shard.enter();
    const fields = fieldsOf("content-type: application/grpc", "te: trailers");
    client.start(request({ method: "POST", authority: "web.mesh", fields }), noEdits, new Heard());
    client.shard.leave();
    await net.settle();
    await answer();
  }
  const web = caller.plane.state?.destinations.get("web.default");
  const states = [...(web?.endpoints.values() ?? [])].map(endpointState);
  return { sent, states, ejections: caller.records.ejections };
}

describe("an instance of gRPC", () => {
  for (const [name, first] of [
    ["UNAVAILABLE in the head", inHead(14)],
    ["INTERNAL in trailers", inTrailers(13)],
  ] as const)
    test(`that answers ${name} is out after five calls`, async () => {
      const { sent, states, ejections } = await sentTo(first, 30);
      expect(sent).toBe(limits.breakerStreakMax);
      expect(states).toEqual(["ejected", "ready"]);
      expect(ejections).toEqual(["web.default streak"]);
    });

  test("that fails behind a message is out by the share of what went well", async () => {
    const { states, ejections } = await sentTo(inTrailers(14, "m"), 30);
    expect(states).toEqual(["ejected", "ready"]);
    expect(ejections).toEqual(["web.default rate"]);
  });

  for (const [name, code] of [
    ["RESOURCE_EXHAUSTED", 8],
    ["NOT_FOUND", 5],
    ["UNKNOWN", 2],
  ] as const)
    for (const [where, say] of [
      ["its head", inHead(code)],
      ["trailers", inTrailers(code)],
    ] as const)
      test(`that says ${name} in ${where} works`, async () => {
        const { sent, states } = await sentTo(say, 30);
        expect(sent).toBe(15);
        expect(states).toEqual(["ready", "ready"]);
      });
});
