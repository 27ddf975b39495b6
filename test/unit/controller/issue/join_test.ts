/** The whole way of a machine into the mesh over TLS, and whom it must not believe on that way. */
import { afterAll, describe, expect, test } from "bun:test";
import { createServer } from "node:net";
import { createRuntime } from "../../../../runtime/bun/runtime.ts";
import type { TlsCredential } from "../../../../runtime/contract.ts";
import {
  controllerPaths,
  registryKeys,
  type JoinAnswer,
  type RenewAnswer,
} from "../../../../src/api/messages.ts";
import { joinWithToken, type JoinCall } from "../../../../src/api/join.ts";
import { UserError } from "../../../../src/base/user_error.ts";
import type { ControlHandler, ControlIdentity } from "../../../../src/api/control.ts";
import { BodyRoom } from "../../../../src/api/body_room.ts";
import { createControlClient } from "../../../../src/api/control_client.ts";
import { serveControl, type ControlServer } from "../../../../src/api/control_server.ts";
import { Shard } from "../../../../src/http/shard.ts";
import { generateKey, prove } from "../../../../src/identity/keys.ts";
import { principalOf } from "../../../../src/identity/spiffe_id.ts";
import { controllerId, nodeId } from "../../../../src/model/identity.ts";
import { limits } from "../../../../src/model/limits.ts";
import { makeTestAuthority } from "../../../support/certificates.ts";
import { ManualClock } from "../../../support/clock.ts";
import { ControllerUnderTest, trustDomain } from "../../../support/controller_under_test.ts";
import { dialled, until } from "../../../support/sockets.ts";
import { hangMs } from "../../../support/patience.ts";

const runtime = createRuntime();
const { net, clock } = runtime;
const shard = new Shard(clock);
const web = { name: "web", namespace: "default" };
const host = await ControllerUnderTest.start();
const other = await ControllerUnderTest.start();
const servers: ControlServer[] = [];
afterAll(async () => {
  for (const server of servers) await server.close(0);
  host.close();
  other.close();
});

async function issue(from: ControllerUnderTest, spiffeId: string): Promise<TlsCredential> {
  const key = generateKey();
  const { authority } = from.controller.issuing.options;
  const { chainPem } = await authority.issue({ spiffeId, publicKey: key.publicKey, ttlMs: 60_000 });
  return { chainPem, keyPem: key.privatePem };
}

const credential = await issue(host, controllerId(trustDomain, "one"));
const rootsPem = [host.controller.issuing.options.authority.rootPem];

/** A port that answers with the app, shows the credential, and notes what it was asked. */
function serve(app: { fetch: ControlHandler }, shown: TlsCredential = credential, trusted = rootsPem) {
  const asked: string[] = [];
  const server = serveControl({
    net,
    clock,
    shard,
    listen: { host: "127.0.0.1", port: 0 },
    identity: () => ({ credential: shown, rootsPem: trusted }),
    peer: "optional",
    strangers: null,
    bodies: new BodyRoom(),
    handler: (request, env) => {
      asked.push(`${request.method} ${new URL(request.url).pathname}`);
      return app.fetch(request, env);
    },
  });
  servers.push(server);
  return { asked, port: server.port };
}

function call(port: number, token: string, node: string): JoinCall {
  const keys = { node: generateKey(), services: new Map([["web.default", generateKey()]]) };
  const controllers = [{ host: "127.0.0.1", port }];
  return { controllers, token, node, keys, services: [web], address: null, port: 7445 };
}

async function tokenOf(from: ControllerUnderTest): Promise<string> {
  const body = { services: [web], ttlMs: 60_000 };
  return ((await from.operator().call("POST", controllerPaths.tokens, body)).body as { token: string }).token;
}

/** As the machine that got this answer. */
function member(port: number, made: JoinCall, answer: JoinAnswer) {
  const shown = { chainPem: answer.node.chainPem, keyPem: made.keys.node.privatePem };
  return clientWith(port, () => ({ credential: shown, rootsPem: answer.bundle.rootsPem }));
}

function clientWith(port: number, identity: () => ControlIdentity) {
  return createControlClient({
    net,
    clock,
    shard,
    servers: [{ host: "127.0.0.1", port }],
    identity,
    expect: (id) => principalOf(id, trustDomain)?.kind === "controller",
    serverName: "controller.heddle",
  });
}

function renewal(made: JoinCall, nonce: string) {
  const { publicKey, privatePem } = made.keys.node;
  const signature = prove(privatePem, `heddle-renew:${nonce}:${made.node}`);
  return { nonce, node: made.node, publicKey, signature, services: [] };
}

describe("a machine", () => {
  test("joins by the second address of the controller where nobody is at the first, and learns all there are", async () => {
    const { port, asked } = serve(host.controller.app);
    const closed = serve(host.controller.app);
    await servers.pop()?.close(0);
    const made = call(port, await tokenOf(host), "vm-second");
    const controllers = [{ host: "127.0.0.1", port: closed.port }, ...made.controllers];
    const answer = await joinWithToken(runtime, { ...made, controllers });
    expect(answer).toMatchObject({
      controllers: [{ host: "127.0.0.1", port: 7443 }],
      registries: [{ host: "127.0.0.1", port: 7444 }],
      registry: { host: "127.0.0.1", port: 7444 },
    });
    expect([closed.asked.length, asked.length]).toEqual([0, 3]);
  });

  test("joins in two steps, and is known by its certificate from then on", async () => {
    const { port, asked } = serve(host.controller.app);
    const made = call(port, await tokenOf(host), "vm-1");
    const answer = await joinWithToken({ net, clock }, made);
    expect(asked).toEqual(["GET /v1/root", "POST /v1/join/nonce", "POST /v1/join"]);
    expect(answer).toMatchObject({ trustDomain, address: "127.0.0.1", registry: { port: 7444 } });
    const client = member(port, made, answer);
    const { nonce } = (await client.call("POST", controllerPaths.nonce, {})).body as { nonce: string };
    const renewed = await client.call("POST", controllerPaths.renew, renewal(made, nonce));
    expect((renewed.body as RenewAnswer).node.notAfterMs).toBeGreaterThanOrEqual(answer.node.notAfterMs);
    client.close();
  });

  test("that was removed is refused with the certificate that it still holds", async () => {
    const { port } = serve(host.controller.app);
    const made = call(port, await tokenOf(host), "vm-2");
    const answer = await joinWithToken({ net, clock }, made);
    const client = member(port, made, answer);
    await client.call("PUT", controllerPaths.uses, []).catch(() => undefined);
    await host.operator().call("POST", `${controllerPaths.nodes}/vm-2/remove`, {});
    await host.until(() => host.controller.catalog.revoked.size === 2);
    await expect(client.call("POST", controllerPaths.nonce, {})).rejects.toMatchObject({
      status: 403,
      message: expect.stringContaining("was revoked"),
    });
    client.close();
  });
});

describe("a token is not shown to", () => {
  const refused = async (port: number, token: string): Promise<unknown> =>
    joinWithToken({ net, clock }, call(port, token, "vm-9")).then(
      () => "joined",
      (error: unknown) => error,
    );

  test("the controller of another mesh", async () => {
    const { port, asked } = serve(host.controller.app);
    const error = await refused(port, await tokenOf(other));
    expect(error).toBeInstanceOf(UserError);
    expect((error as UserError).message).toContain("is not the mesh that this token is for");
    expect(asked).toEqual(["GET /v1/root"]);
  });

  test("somebody in between who shows the right root and has no certificate below it", async () => {
    const stranger = await makeTestAuthority();
    const shown = await stranger.issue({
      uri: controllerId(trustDomain, "one"),
      dns: ["controller.heddle"],
      extraChainPem: rootsPem,
    });
    const { port, asked } = serve(host.controller.app, shown);
    expect(String(await refused(port, await tokenOf(host)))).toContain("Cannot reach");
    expect(asked).toEqual(["GET /v1/root"]);
  });

  test("a member of the mesh that is no controller", async () => {
    const { port, asked } = serve(host.controller.app, await issue(host, nodeId(trustDomain, "vm-1")));
    expect(String(await refused(port, await tokenOf(host)))).toContain("Cannot reach");
    expect(asked).toEqual(["GET /v1/root"]);
  });

  test("whoever answers nonsense", async () => {
    for (const body of [
      "{}",
      "null",
      '{"rootPem":7}',
      '{"rootPem":"x","trustDomain":"corp.example"}',
      "nonsense",
    ]) {
      const { port } = serve({ fetch: () => new Response(body) });
      expect(await refused(port, await tokenOf(host))).toBeInstanceOf(UserError);
    }
  });

  test("whoever speaks no TLS", async () => {
    const heard: string[] = [];
    const plain = createServer((socket) => {
      socket.on("data", (chunk) => void heard.push(chunk.toString("latin1")));
      socket.on("error", () => {});
      socket.end("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    });
    await new Promise<void>((resolve) => plain.listen(0, "127.0.0.1", resolve));
    const { port } = plain.address() as { port: number };
    const token = await tokenOf(host);
    expect(String(await refused(port, token))).toContain("Cannot reach");
    expect(heard.join("")).not.toContain(token.split(".")[2] ?? "");
    plain.close();
  });

  test("anybody when it is no token", async () => {
    const { port, asked } = serve(host.controller.app);
    for (const token of [
      "",
      "hd1",
      "hd1.a.b",
      "hd1.a.b.c",
      `hd2.a.b.${"p".repeat(43)}`,
      `hd1.a.b.${"p".repeat(44)}`,
    ])
      expect(await refused(port, token)).toBeInstanceOf(UserError);
    expect(asked).toEqual([]);
    expect(host.store.range(registryKeys.nodes).entries.map((entry) => entry.key)).not.toContain(
      "nodes/vm-9",
    );
  });
});

test("a client connects anew once its credential was replaced", async () => {
  const { port } = serve({
    fetch: (_request, { caller }) => Response.json({ serial: caller.certificate?.serial }),
  });
  let shown = await issue(host, nodeId(trustDomain, "vm-1"));
  const client = clientWith(port, () => ({ credential: shown, rootsPem: [...rootsPem] }));
  const serial = async () => ((await client.call("GET", "/")).body as { serial: string }).serial;
  const first = await serial();
  expect(await serial()).toBe(first);
  shown = await issue(host, nodeId(trustDomain, "vm-1"));
  expect(await serial()).not.toBe(first);
  client.close();
});

describe("the controller's port", () => {
  test("refuses whoever shows a certificate that is not good, though it asks for none", async () => {
    const authority = await makeTestAuthority();
    const shown = await authority.issue({ uri: controllerId(trustDomain, "one") });
    const { port, asked } = serve(host.controller.app, shown, [authority.rootPem]);
    const stranger = await makeTestAuthority();
    const bad = await Promise.all([
      stranger.issue({ uri: nodeId(trustDomain, "vm-1") }),
      authority.issue({ uri: nodeId(trustDomain, "vm-1"), notAfter: new Date(Date.now() - 1000) }),
      authority.issue({ uri: [nodeId(trustDomain, "vm-1"), nodeId(trustDomain, "vm-2")] }),
      authority.issue({ uri: nodeId(trustDomain, "vm-1"), ca: true }),
      authority.issue({}),
    ]);
    for (const each of bad) {
      const client = clientWith(port, () => ({ credential: each, rootsPem: [authority.rootPem] }));
      await expect(client.call("POST", controllerPaths.nonce, {})).rejects.toThrow("Cannot reach");
      client.close();
    }
    expect(asked).toEqual([]);
  });

  test("reads little of a caller without a certificate", async () => {
    const { port, asked } = serve(host.controller.app);
    const client = clientWith(port, () => ({ credential: null, rootsPem }));
    const body = { padding: "x".repeat(limits.controlStrangerBodyBytesMax) };
    await expect(client.call("POST", controllerPaths.join, body)).rejects.toMatchObject({ status: 413 });
    expect(asked).toEqual([]);
    client.close();
  });

  test("waits so long for the first byte and no longer", async () => {
    const still = new ManualClock();
    const server = serveControl({
      net,
      clock: still,
      shard: new Shard(still),
      listen: { host: "127.0.0.1", port: 0 },
      identity: () => ({ credential, rootsPem }),
      peer: "optional",
      strangers: null,
      bodies: new BodyRoom(),
      handler: () => new Response(),
    });
    const silent = await dialled(runtime, { host: "127.0.0.1", port: server.port, timeoutMs: hangMs });
    await until(() => still.waiting > 0, "it is accepted");
    await still.advance(limits.clientHelloMs - 200);
    expect(silent.heard.ended || silent.heard.closed).toBe(false);
    await still.advance(400);
    await until(() => silent.heard.ended || silent.heard.closed, "it is cut");
    await server.close(0);
  });
});

test("a token's line says what its machine is to say of itself: one service, gateways, or more than flags can", async () => {
  const [edge, inner] = [
    { name: "edge", namespace: "default" },
    { name: "inner", namespace: "prod" },
  ];
  for (const [body, flags] of [
    [{ services: [web] }, "--service web --port PORT"],
    [{ services: [edge], gateways: [edge] }, "--gateway edge"],
    [
      { services: [web, edge, inner], gateways: [edge, inner] },
      "--service web --port PORT --gateway edge --gateway inner.prod",
    ],
    [{ services: [web, edge] }, "--machine machine.yaml"],
    [{ services: null }, "--machine machine.yaml"],
  ] as const) {
    const made = await host.operator().call("POST", controllerPaths.tokens, { ...body, ttlMs: 60_000 });
    const { joinLine, token } = made.body as { joinLine: string; token: string };
    expect(joinLine.split(`${token} `)[1]).toBe(flags);
  }
});
