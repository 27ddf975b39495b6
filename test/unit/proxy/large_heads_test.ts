/** A peer that says how large a head it takes (SETTINGS_MAX_HEADER_LIST_SIZE) is sent none that is larger. */
import { afterEach, expect, test } from "bun:test";
import { noEdits } from "../../../src/wire/fields.ts";
import { frameTypes } from "../../../src/wire/h2/frames.ts";
import { fieldsFrom } from "../../../src/wire/head_fields.ts";
import { concat, headers, opening, preface, settings } from "../../support/h2_frames.ts";
import { dialPeer, listenPeer } from "../../support/h2_peer.ts";
import { dialHttp2, Heard, request, serve } from "../../support/http_relay.ts";
import { Planes, runtime } from "../../support/planes.ts";
import { until } from "../../support/sockets.ts";

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

const maxHeaderListSize = 6;
const get = (...more: readonly (readonly [string, string])[]) =>
  headers(1, [
    [":method", "GET"],
    [":scheme", "http"],
    [":path", "/"],
    [":authority", "orders.mesh"],
    ...more,
  ]);

/** `:method: GET`, `:scheme: https`, `:path: /`, `:authority: a.mesh`, with 32 bytes for each. */
const requestBytes = 10 + 12 + 6 + 16 + 4 * 32;

async function serverTaking(most: number) {
  const { listener, port, peers } = listenPeer(runtime);
  const client = await dialHttp2(runtime, port);
  await until(() => peers.length === 1, "the server accepts");
  const [server] = peers;
  if (server === undefined) throw new Error("there is no server");
  ends.push(() => {
    listener.close();
    client.destroy();
    server.socket.destroy();
  });
  server.send(settings([maxHeaderListSize, most]));
  await until(() => client.peer.known, "SETTINGS came");
  return { client, server };
}

test("a request as large as the server takes is sent; one byte more, and it fails alone, naming both sizes", async () => {
  const field = fieldsFrom(["x-a", "b"]);
  const edits = { remove: [], set: ["x-b", "c"], add: [] };
  const size = requestBytes + 2 * (3 + 1 + 32);
  const { client, server } = await serverTaking(size);
  const fits = new Heard();
  client.start(request({ fields: field }), edits, fits);
  await server.until((each) => each.of(frameTypes.headers).length === 1, "the request comes");
  const large = new Heard();
  client.start(request({ fields: field }), { ...edits, set: ["x-b", "cc"] }, large);
  await until(() => large.over, "the large one fails");
  expect(large.failure).toMatchObject({ flag: "DPE", side: "downstream", repeat: "no", status: 431 });
  expect(large.failure?.detail).toContain(`has ${size + 1} bytes`);
  expect(large.failure?.detail).toContain(`takes ${size} (its SETTINGS_MAX_HEADER_LIST_SIZE)`);
  // The one beside it goes on, and so does the connection.
  server.send(headers(1, [[":status", "200"]]));
  await until(() => fits.over, "the other one is answered");
  expect([fits.failure, client.room > 0]).toEqual([null, true]);
});

test("fields that stay on this hop do not count", async () => {
  const { client, server } = await serverTaking(requestBytes + 3 + 1 + 32);
  const fields = fieldsFrom(["connection", "x-far", "keep-alive", "y".repeat(100), "x-a", "b"]);
  const heard = new Heard();
  client.start(request({ fields }), noEdits, heard);
  await server.until((each) => each.of(frameTypes.headers).length === 1, "the request comes");
});

/** A mesh whose app answers with so many bytes in a field. */
async function mesh(valueBytes: number) {
  const app = serve(
    runtime,
    (exchange) => {
      const large = exchange.request.path === "/" ? ["x-large", "v".repeat(valueBytes)] : [];
      exchange.respond(200, fieldsFrom(large), noEdits, 0);
      exchange.end(null);
    },
    { version: "h2" },
  );
  const planes = await Planes.start(
    { name: "a", services: { caller: { app: 9 } } },
    { name: "b", services: { orders: { app: app.port } } },
  );
  planes.apply({ orders: { protocol: "http2" } });
  ends.push(() => {
    app.close();
    void planes.close();
  });
  return planes;
}

test("an answer that is larger than its client takes becomes an error that names both sizes, and the next one comes", async () => {
  const planes = await mesh(2_000);
  const { port, records } = planes.machine("a");
  const client = await dialPeer(runtime, port("caller"));
  ends.push(() => client.socket.destroy());
  client.send(concat(preface, settings([maxHeaderListSize, 1_500])), get());
  const [record] = await records.until(1);
  expect(record).toMatchObject({ status: 502, outcome: { flag: "UPE", status: 502 } });
  expect(record?.outcome?.detail).toMatch(
    /the answer has 2\d\d\d bytes, and the client takes 1500 \(its SETTINGS_MAX_HEADER_LIST_SIZE\)/,
  );
  await client.until((each) => each.of(frameTypes.headers, 1).length === 1, "the error comes");
  client.send(
    headers(3, [
      [":method", "GET"],
      [":scheme", "http"],
      [":path", "/small"],
      [":authority", "orders.mesh"],
    ]),
  );
  const [, next] = await records.until(2);
  expect([next?.status, next?.outcome]).toEqual([200, null]);
});

test("a gRPC client hears RESOURCE_EXHAUSTED of an answer that is larger than it takes", async () => {
  const planes = await mesh(2_000);
  const client = await dialPeer(runtime, planes.machine("a").port("caller"));
  ends.push(() => client.socket.destroy());
  client.send(
    concat(preface, settings([maxHeaderListSize, 1_500])),
    get(["content-type", "application/grpc"]),
  );
  await client.until((each) => each.of(frameTypes.headers, 1).length === 1, "the error comes");
  const [head] = client.of(frameTypes.headers, 1);
  expect(Buffer.from(head?.payload ?? []).toString("latin1")).toContain("grpc-status\u00018");
});

test("a client that names no limit is answered with a large head", async () => {
  const planes = await mesh(2_000);
  const { port, records } = planes.machine("a");
  const client = await dialPeer(runtime, port("caller"));
  ends.push(() => client.socket.destroy());
  client.send(opening, get());
  const [record] = await records.until(1);
  expect([record?.status, record?.outcome]).toEqual([200, null]);
});
