/** A client that opens a burst over open windows, many connections at once, beside one that sends a request at a time. */
import { afterEach, expect, test } from "bun:test";
import { limits } from "../../../src/model/limits.ts";
import { noEdits } from "../../../src/wire/fields.ts";
import { frameTypes } from "../../../src/wire/h2/frames.ts";
import { profiles } from "../../../src/wire/h2/settings.ts";
import { concat, frame, headers, opening, type FieldList } from "../../support/h2_frames.ts";
import { dialPeer } from "../../support/h2_peer.ts";
import { dialHttp2, Heard, request, serve } from "../../support/http_relay.ts";
import { Planes, runtime } from "../../support/planes.ts";
import { until } from "../../support/sockets.ts";
import { testMs } from "../../support/patience.ts";

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

const get: FieldList = [
  [":method", "GET"],
  [":scheme", "http"],
  [":path", "/burst"],
  [":authority", "orders.mesh"],
];
const settingsAck = frame(frameTypes.settings, 1, 0, new Uint8Array(0));

test(
  "hardly holds up a request of another client: few of the burst are begun between its arrival and its own turn",
  async () => {
    const app = serve(
      runtime,
      (exchange) => {
        exchange.respond(200, null, noEdits, 0);
        exchange.end(null);
      },
      { version: "h2" },
    );
    const planes = await Planes.start({
      name: "a",
      services: { caller: { app: 9 }, orders: { app: app.port } },
    });
    planes.apply({ orders: { protocol: "http2" } });
    ends.push(() => {
      app.close();
      void planes.close();
    });
    const { port, records } = planes.machine("a");
    let begunBurst = 0;
    let mine: (() => void) | null = null;
    const began = records.began.bind(records);
    records.began = (record) => {
      began(record);
      if (record.direction !== "outbound") return;
      if (record.path === "/mine") mine?.();
      else begunBurst++;
    };
    const good = await dialHttp2(runtime, port("caller"), { profile: profiles.app });
    ends.push(() => good.destroy());
    await until(() => good.peer.known, "the good client is ready");
    const peers = await Promise.all(Array.from({ length: 32 }, () => dialPeer(runtime, port("caller"))));
    for (const peer of peers) {
      ends.push(() => peer.socket.destroy());
      peer.send(opening, settingsAck);
    }
    const ids = Array.from({ length: 100 }, (_, at) => 2 * at + 1);
    const burst = concat(...ids.map((id) => headers(id, get)));
    await until(() => peers.every((peer) => peer.of(frameTypes.settings).length > 0), "all are open");
    for (const peer of peers) peer.send(burst);
    const between: number[] = [];
    for (;;) {
      const before = begunBurst;
      let at = -1;
      mine = () => (at = begunBurst - before);
      const heard = new Heard();
      good.start(request({ target: "/mine", authority: "orders.mesh" }), noEdits, heard);
      await until(() => heard.over, "the good client is answered");
      if (before > 3_100) break;
      between.push(at);
    }
    expect(between.length).toBeGreaterThan(0);
    expect(Math.max(...between)).toBeLessThanOrEqual(limits.h2WaitingRequestsPerTurnMax);
  },
  testMs,
);
