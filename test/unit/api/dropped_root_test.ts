/** A control API asks every caller anew once a root is trusted no more that may have vouched for it. */
import { afterAll, expect, test } from "bun:test";
import { BodyRoom } from "../../../src/api/body_room.ts";
import { ControlUnreachable, type ControlClient } from "../../../src/api/control.ts";
import { createControlClient } from "../../../src/api/control_client.ts";
import { serveControl } from "../../../src/api/control_server.ts";
import { Shard } from "../../../src/http/shard.ts";
import { makeTestAuthority } from "../../support/certificates.ts";
import { runtime } from "../../support/planes.ts";

const [older, newer] = [await makeTestAuthority(), await makeTestAuthority()];
const meant = "spiffe://mesh.test/heddle/controller/one";
const credential = await newer.issue({ uri: meant });
const { clock, net } = runtime;
const caller = "spiffe://mesh.test/heddle/operator/admin";
const trusted = { rootsPem: [older.rootPem, newer.rootPem] };
let connections = 0;

const server = serveControl({
  net: {
    ...net,
    listen: (options, accept) =>
      net.listen(options, (socket) => {
        connections++;
        return accept(socket);
      }),
  },
  clock,
  shard: new Shard(clock),
  listen: { host: "127.0.0.1", port: 0 },
  identity: () => ({ credential, rootsPem: trusted.rootsPem }),
  peer: "required",
  strangers: null,
  bodies: new BodyRoom(),
  handler: (_request, { caller: { spiffeId } }) => Response.json(spiffeId),
});
const clients: ControlClient[] = [];
afterAll(async () => {
  for (const each of clients) each.close();
  await server.close(0);
});

async function clientBelow(authority: typeof older): Promise<ControlClient> {
  const shown = { credential: await authority.issue({ uri: caller }), rootsPem: [newer.rootPem] };
  const client = createControlClient({
    net,
    clock,
    shard: new Shard(clock),
    servers: [{ host: "127.0.0.1", port: server.port }],
    identity: () => shown,
    expect: (id) => id === meant,
    serverName: "controller.heddle",
  });
  clients.push(client);
  return client;
}

test("a caller below a root that was dropped is heard no more on the connection it has, one below another connects anew", async () => {
  const [old, next] = [await clientBelow(older), await clientBelow(newer)];
  for (const client of [old, next, old, next]) expect((await client.call("GET", "/")).body).toBe(caller);
  expect(connections).toBe(2);
  trusted.rootsPem = [newer.rootPem];
  expect(await old.call("POST", "/", {}).catch((error: unknown) => error)).toBeInstanceOf(ControlUnreachable);
  expect((await next.call("POST", "/", {})).body).toBe(caller);
  expect(connections).toBe(4);
});

test("a root that comes beside those that are trusted costs nobody a connection", async () => {
  const client = await clientBelow(newer);
  await client.call("GET", "/");
  const before = connections;
  trusted.rootsPem = [...trusted.rootsPem, (await makeTestAuthority()).rootPem];
  expect((await client.call("GET", "/")).body).toBe(caller);
  expect(connections).toBe(before);
});
