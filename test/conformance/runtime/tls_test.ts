/** Contract of TLS: who may not come in stays out, and nothing passes before both sides agreed. */
import { afterAll, describe, expect, test } from "bun:test";
import type {
  Listener,
  Socket,
  TlsClientOptions,
  TlsCredential,
  TlsServerOptions,
  TlsSession,
} from "../../../runtime/contract.ts";
import { makeTestAuthority } from "../../support/certificates.ts";
import { runtime } from "../../support/runtime_under_test.ts";
import { dial, dialled, until } from "../../support/sockets.ts";
import { patterned, sendAll } from "../../support/streams.ts";
import { listenTls, type TlsListener } from "../../support/tls.ts";
import { hangMs } from "../../support/patience.ts";

const authority = await makeTestAuthority();
const stranger = await makeTestAuthority();
const ordersUri = "spiffe://mesh.test/ns/default/sa/orders";
const cartUri = "spiffe://mesh.test/ns/default/sa/cart";
const orders = await authority.issue({ uri: ordersUri });
const cart = await authority.issue({ uri: cartUri });
const hourMs = 3_600_000;
const past = { notBefore: new Date(Date.now() - 2 * hourMs), notAfter: new Date(Date.now() - hourMs) };
const future = { notBefore: new Date(Date.now() + hourMs), notAfter: new Date(Date.now() + 2 * hourMs) };

const open: Listener[] = [];
afterAll(() => {
  for (const listener of open) listener.close();
});

function serverOptions(options: Partial<TlsServerOptions> = {}): TlsServerOptions {
  return {
    credential: orders,
    trustPem: [authority.rootPem],
    alpn: ["h2", "http/1.1"],
    accept: () => null,
    handshakeTimeoutMs: hangMs,
    peer: "required",
    ...options,
  };
}

function serve(options: Partial<TlsServerOptions> = {}): TlsListener {
  const made = serverOptions(options);
  const server = listenTls(runtime, () => made);
  open.push(server.listener);
  return server;
}

function clientOptions(options: Partial<TlsClientOptions> = {}): TlsClientOptions {
  return {
    credential: cart,
    trustPem: [authority.rootPem],
    alpn: ["h2"],
    serverName: "orders.mesh",
    accept: () => null,
    handshakeTimeoutMs: hangMs,
    verify: "chain",
    ...options,
  };
}

function target(server: TlsListener, options: Partial<TlsClientOptions> = {}) {
  return { host: "127.0.0.1", port: server.port, timeoutMs: hangMs, tls: clientOptions(options) };
}

const { credential: _, ...anonymousClient } = clientOptions();

test("a plain socket that TLS goes over says still whose connection it is", async () => {
  const plain: Socket[] = [];
  const server = listenTls(runtime, (_, socket) => {
    plain.push(socket);
    return serverOptions();
  });
  open.push(server.listener);
  const client = await dialled(runtime, target(server));
  await until(() => server.secured.length === 1, "the server agrees");
  const above = server.secured[0]?.socket;
  expect([plain[0]?.remoteAddress, plain[0]?.remotePort]).toEqual(["127.0.0.1", above?.remotePort]);
  expect(above?.remotePort).toBeGreaterThan(0);
  client.socket.destroy();
});

describe("two peers of one authority", () => {
  test("learn each other's names, the protocol and the server name", async () => {
    const server = serve();
    const client = await dialled(runtime, target(server));
    await until(() => server.secured.length === 1, "the server agrees");
    const seen = server.secured[0]?.socket.tls;
    expect(seen?.peer?.uris).toEqual([cartUri]);
    expect(seen).toMatchObject({ alpn: "h2", serverName: "orders.mesh", resumed: false });
    expect(client.socket.tls?.peer?.uris).toEqual([ordersUri]);
    expect(client.socket.tls?.alpn).toBe("h2");
    client.socket.write(new TextEncoder().encode("hello"));
    await until(() => server.secured[0]?.heard.text() === "hello", "bytes arrive");
    client.socket.destroy();
  });
});

async function refusedByServer(credential: TlsCredential | null, options: Partial<TlsServerOptions> = {}) {
  const server = serve(options);
  const tls = credential === null ? anonymousClient : clientOptions({ credential });
  const answer = await dial(runtime, { host: "127.0.0.1", port: server.port, timeoutMs: hangMs, tls });
  if (!("kind" in answer)) answer.socket.write(new TextEncoder().encode("let me in"));
  await until(() => server.refused.length === 1, "the server refuses");
  if (!("kind" in answer)) await until(() => answer.heard.closed || answer.heard.ended, "the client is cut");
  expect(server.secured).toEqual([]);
  return server.refused[0];
}

test("either end takes the memory of a large piece back when the call returns; a slice of it is a copy that stays", async () => {
  const server = serve();
  const client = await dialled(runtime, target(server));
  await until(() => server.secured.length === 1, "both sides agree");
  const [far] = server.secured;
  if (far === undefined) throw new Error("Nobody came");
  const sent = patterned(1024 * 1024);
  for (const [from, to] of [
    [client, far],
    [far, client],
  ] as const) {
    const kept: Uint8Array[] = [];
    const handed: Uint8Array[] = [];
    let received = 0;
    to.heard.data = (chunk) => {
      handed.push(chunk);
      kept.push(chunk.slice());
      received += chunk.length;
    };
    await sendAll(from, sent);
    await until(() => received === sent.length, "all of it arrives");
    expect(handed.filter(({ length }) => length >= 16 * 1024)).toEqual([]);
    expect(Buffer.concat(kept).equals(sent)).toBe(true);
  }
  client.socket.destroy();
});

describe("a server that requires a certificate", () => {
  test("refuses one of a stranger's authority", async () => {
    const credential = await stranger.issue({ uri: cartUri });
    expect(await refusedByServer(credential)).toMatchObject({ kind: "tls" });
  });
  test("refuses none", async () => {
    expect(await refusedByServer(null)).toMatchObject({ kind: "tls" });
  });
  test("refuses an expired one", async () => {
    expect(await refusedByServer(await authority.issue({ uri: cartUri, ...past }))).toMatchObject({
      kind: "tls",
    });
  });
  test("refuses one that is not valid yet", async () => {
    expect(await refusedByServer(await authority.issue({ uri: cartUri, ...future }))).toMatchObject({
      kind: "tls",
    });
  });
  test("refuses one that is for servers only", async () => {
    const credential = await authority.issue({ uri: cartUri, usages: ["server"] });
    expect(await refusedByServer(credential)).toMatchObject({ kind: "tls" });
  });
  test("refuses one that may sign others", async () => {
    const credential = await authority.issue({ uri: cartUri, ca: true });
    expect(await refusedByServer(credential)).toMatchObject({ code: "ERR_AUTHORITY_CERTIFICATE" });
    const signer = await authority.issue({ uri: cartUri, usage: ["digitalSignature", "keyCertSign"] });
    expect(await refusedByServer(signer)).toMatchObject({ kind: "tls" });
  });
  test("refuses all when it trusts nobody", async () => {
    expect(await refusedByServer(cart, { trustPem: [] })).toMatchObject({ kind: "tls" });
  });
  test("refuses whom its owner does not accept, and says why", async () => {
    const refused = await refusedByServer(cart, { accept: (session) => `no ${session.peer?.uris[0]} here` });
    expect(refused).toMatchObject({ code: "ERR_PEER_REFUSED", message: `no ${cartUri} here` });
  });
});

describe("a server with an optional certificate", () => {
  test("lets a client without one in, named as nobody", async () => {
    const server = serve({ peer: "optional" });
    const client = await dialled(runtime, {
      host: "127.0.0.1",
      port: server.port,
      timeoutMs: hangMs,
      tls: anonymousClient,
    });
    await until(() => server.secured.length === 1, "the server agrees");
    expect(server.secured[0]?.socket.tls?.peer).toBeNull();
    client.socket.destroy();
  });
  test("knows a client that shows a good one", async () => {
    const server = serve({ peer: "optional" });
    const client = await dialled(runtime, target(server));
    await until(() => server.secured.length === 1, "the server agrees");
    expect(server.secured[0]?.socket.tls?.peer?.uris).toEqual([cartUri]);
    client.socket.destroy();
  });
  test("refuses a bad one", async () => {
    const credential = await stranger.issue({ uri: cartUri });
    expect(await refusedByServer(credential, { peer: "optional" })).toMatchObject({ kind: "tls" });
    const expired = await authority.issue({ uri: cartUri, ...past });
    expect(await refusedByServer(expired, { peer: "optional" })).toMatchObject({ kind: "tls" });
  });
});

describe("a client", () => {
  const refusedByClient = async (server: TlsListener, options: Partial<TlsClientOptions> = {}) => {
    const answer = await dial(runtime, target(server, options));
    if (!("kind" in answer)) throw new Error("The client went on");
    return answer;
  };
  test("refuses a server of a stranger's authority, even with the right name", async () => {
    const credential = await stranger.issue({ uri: ordersUri, dns: ["orders.mesh"] });
    expect(await refusedByClient(serve({ credential }))).toMatchObject({ kind: "tls" });
  });
  test("refuses an expired server", async () => {
    const credential = await authority.issue({ uri: ordersUri, ...past });
    expect(await refusedByClient(serve({ credential }))).toMatchObject({
      kind: "tls",
      code: "CERT_HAS_EXPIRED",
    });
  });
  test("refuses a server whose certificate may sign others", async () => {
    const credential = await authority.issue({ uri: ordersUri, ca: true });
    expect(await refusedByClient(serve({ credential }))).toMatchObject({ code: "ERR_AUTHORITY_CERTIFICATE" });
  });
  test("refuses when it trusts nobody", async () => {
    expect(await refusedByClient(serve(), { trustPem: [] })).toMatchObject({ kind: "tls" });
  });
  test("refuses whom its owner does not accept, and not a byte reaches either side", async () => {
    const server = serve();
    const answer = await refusedByClient(server, { accept: () => "another service was meant" });
    expect(answer).toMatchObject({ code: "ERR_PEER_REFUSED", message: "another service was meant" });
    await until(() => server.refused.length + server.secured.length === 1, "the server has its answer");
    expect(server.secured[0]?.heard.received ?? 0).toBe(0);
  });
  test("and a server without a common protocol do not meet", async () => {
    const server = serve();
    expect(await refusedByClient(server, { alpn: ["smtp"] })).toMatchObject({ kind: "tls" });
    await until(() => server.refused.length === 1, "the server refuses");
  });
  test("that does not verify hands any certificate to its owner", async () => {
    const credential = await stranger.issue({ uri: ordersUri });
    const server = serve({ credential, peer: "optional" });
    let shown: TlsSession | null = null;
    const client = await dialled(runtime, {
      host: "127.0.0.1",
      port: server.port,
      timeoutMs: hangMs,
      tls: { ...anonymousClient, verify: "unverified", accept: (session) => ((shown = session), null) },
    });
    expect(client.socket.tls).toBe(shown);
    expect(client.socket.tls?.peer?.uris).toEqual([ordersUri]);
    client.socket.destroy();
  });
});
