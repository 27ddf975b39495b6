/**
 * The ways into a service that must stay closed, each by a real handshake with the options that proxies use; and the same
 * for the ways out: whom a client must not believe.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRuntime } from "../../../runtime/bun/runtime.ts";
import type { SocketError, TlsClientOptions, TlsCredential } from "../../../runtime/contract.ts";
import { Authority, createAuthority } from "../../../src/identity/authority.ts";
import type { AuthorityState } from "../../../src/identity/authority_state.ts";
import { generateKey } from "../../../src/identity/keys.ts";
import { httpAlpn, inboundTls, outboundTls } from "../../../src/identity/tls_options.ts";
import type { Trust } from "../../../src/identity/verify_peer.ts";
import { makeTestAuthority, type IssueOptions, outlived } from "../../support/certificates.ts";
import { dial, dialled, until, type End } from "../../support/sockets.ts";
import { listenTls, type TlsListener } from "../../support/tls.ts";
import { hangMs } from "../../support/patience.ts";

const runtime = createRuntime();
const haveOpenssl = spawnSync("openssl", ["version"]).status === 0;
const trustDomain = "mesh.test";
const ordersId = "spiffe://mesh.test/ns/default/sa/orders";
const cartId = "spiffe://mesh.test/ns/default/sa/cart";
const authority = await makeTestAuthority();
const stranger = await makeTestAuthority();
const orders = await authority.issue({ uri: ordersId });
const cart = await authority.issue({ uri: cartId });
const trust: Trust = { trustDomain, rootsPem: [authority.rootPem], denied: new Set() };
const toOrders = { spiffeId: ordersId, serverName: "orders.default.mesh", alpn: httpAlpn };
const state = await createAuthority(trustDomain, Date.now());
const hourMs = 3_600_000;
const aroundNow = (fromHours: number, toHours: number) => ({
  notBefore: new Date(Date.now() + fromHours * hourMs),
  notAfter: new Date(Date.now() + toHours * hourMs),
});

const servers: TlsListener[] = [];
afterAll(() => {
  for (const server of servers) server.listener.close();
});

function serve(credential: TlsCredential = orders, trusted: () => Trust = () => trust): TlsListener {
  const server = listenTls(runtime, () => inboundTls(credential, trusted()));
  servers.push(server);
  return server;
}

function call(server: TlsListener, tls: TlsClientOptions): Promise<End | SocketError> {
  return dial(runtime, { host: "127.0.0.1", port: server.port, timeoutMs: hangMs, tls });
}

/** Shows the credential to a service; the service must refuse it, and hear nothing of what is sent. */
async function refusal(credential: TlsCredential | null, trusted: Trust = trust): Promise<SocketError> {
  const server = serve(orders, () => trusted);
  const { credential: _, ...nobody } = outboundTls(cart, trust, toOrders);
  const answer = await call(server, credential === null ? nobody : outboundTls(credential, trust, toOrders));
  if (!("kind" in answer)) answer.socket.write(new TextEncoder().encode("let me in"));
  await until(() => server.refused.length === 1, "the service refuses");
  expect(server.secured).toEqual([]);
  return server.refused[0] as SocketError;
}

/** Runs openssl's client against the server until it is cut off; resolves with what it said. */
function openssl(server: TlsListener, ...flags: readonly string[]): Promise<string> {
  const args = ["s_client", ...flags, "-alpn", httpAlpn, "-connect", `127.0.0.1:${server.port}`];
  const client = spawn("openssl", args);
  let said = "";
  for (const stream of [client.stdout, client.stderr]) stream.on("data", (chunk) => (said += String(chunk)));
  return new Promise((resolve) => client.on("exit", () => resolve(said)));
}

const leaf = (options: IssueOptions): Promise<TlsCredential> => authority.issue({ uri: cartId, ...options });

test("two services of one authority meet and know each other", async () => {
  const server = serve();
  const client = await call(server, outboundTls(cart, trust, toOrders));
  if ("kind" in client) throw new Error(client.message);
  await until(() => server.secured.length === 1, "the service agrees");
  expect(server.secured[0]?.socket.tls?.peer?.uris).toEqual([cartId]);
  expect(client.socket.tls?.peer?.uris).toEqual([ordersId]);
  client.socket.destroy();
});

describe("a service refuses", () => {
  const unwelcome: readonly (readonly [string, () => Promise<TlsCredential | null>, string])[] = [
    ["no certificate", async () => null, ""],
    ["one of another authority", () => stranger.issue({ uri: cartId }), ""],
    [
      "one of another authority with our root appended",
      () => stranger.issue({ uri: cartId, extraChainPem: [authority.rootPem] }),
      "",
    ],
    ["an expired one", () => leaf(aroundNow(-2, -1)), ""],
    ["one that is not valid yet", () => leaf(aroundNow(1, 2)), ""],
    ["one without a URI name", () => authority.issue({ dns: ["cart.default.mesh"] }), "not exactly one URI"],
    ["one with two URI names", () => leaf({ uri: [cartId, ordersId] }), "not exactly one URI"],
    ["one with its name twice", () => leaf({ uri: [cartId, cartId] }), "not exactly one URI"],
    ["one that may sign others", () => leaf({ ca: true }), "signs others"],
    ["one whose key may sign certificates", () => leaf({ usage: ["digitalSignature", "keyCertSign"] }), ""],
    ["one whose key may sign revocations", () => leaf({ usage: ["digitalSignature", "cRLSign"] }), ""],
    ["one for servers alone", () => leaf({ usages: ["server"] }), ""],
    ["one without a path", () => leaf({ uri: "spiffe://mesh.test" }), "names nobody"],
    [
      "one of another trust domain",
      () => leaf({ uri: "spiffe://evil.test/ns/default/sa/cart" }),
      "names nobody",
    ],
    ["one of another scheme", () => leaf({ uri: "https://mesh.test/ns/default/sa/cart" }), "names nobody"],
    ["one with an odd name", () => leaf({ uri: "spiffe://mesh.test/ns/default/sa/cart/" }), "names nobody"],
    ["a machine's", () => leaf({ uri: "spiffe://mesh.test/node/vm" }), "is no service"],
    ["an operator's", () => leaf({ uri: "spiffe://mesh.test/operator/ada" }), "is no service"],
    [
      "one that a service signed",
      async () => (await authority.usurper({ uri: ordersId })).issue({ uri: cartId }),
      "",
    ],
  ];
  for (const [what, credential, reason] of unwelcome) {
    test(what, async () => {
      const refused = await refusal(await credential());
      expect(refused.kind).toBe("tls");
      expect(refused.message).toContain(reason);
    });
  }

  test("one that was revoked", async () => {
    const refused = await refusal(cart, { ...trust, denied: new Set([cartId]) });
    expect(refused).toMatchObject({ code: "ERR_PEER_REFUSED", message: `${cartId} was revoked` });
  });

  test("everybody while it trusts no root", async () => {
    expect((await refusal(cart, { ...trust, rootsPem: [] })).kind).toBe("tls");
  });

  test.skipIf(!haveOpenssl)("a client of TLS 1.2 (needs openssl)", async () => {
    const server = serve();
    expect(await openssl(server, "-tls1_2")).toContain("alert");
    await until(() => server.refused.length === 1, "the service refuses");
    expect(server.secured).toEqual([]);
  });
});

describe("a client does not believe", () => {
  const pretenders: readonly (readonly [string, () => Promise<TlsCredential>])[] = [
    ["another service of the same authority", () => authority.issue({ uri: cartId })],
    [
      "the same name in another namespace",
      () => authority.issue({ uri: "spiffe://mesh.test/ns/other/sa/orders" }),
    ],
    [
      "the same name of another trust domain",
      () => authority.issue({ uri: ordersId.replace("mesh", "evil") }),
    ],
    [
      "the right name of another authority",
      () => stranger.issue({ uri: ordersId, dns: [toOrders.serverName] }),
    ],
    [
      "the right name in an expired certificate",
      () => authority.issue({ uri: ordersId, ...aroundNow(-2, -1) }),
    ],
    [
      "the right name in one that is not valid yet",
      () => authority.issue({ uri: ordersId, ...aroundNow(1, 2) }),
    ],
    ["the right name beside another", () => authority.issue({ uri: [ordersId, cartId] })],
    ["the right name as a DNS name alone", () => authority.issue({ dns: [toOrders.serverName] })],
    [
      "the right name in a certificate that may sign others",
      () => authority.issue({ uri: ordersId, ca: true }),
    ],
    [
      "the right name in a certificate for clients alone",
      () => authority.issue({ uri: ordersId, usages: ["client"] }),
    ],
    [
      "the right name that a service signed",
      async () => (await authority.usurper({ uri: cartId })).issue({ uri: ordersId }),
    ],
  ];
  for (const [what, credential] of pretenders) {
    test(what, async () => {
      const server = serve(await credential());
      const answer = await call(server, outboundTls(cart, trust, toOrders));
      expect(answer).toMatchObject({ kind: "tls" });
      await until(() => server.secured.length + server.refused.length === 1, "the other side has its answer");
      expect(server.secured[0]?.heard.received ?? 0).toBe(0);
    });
  }

  test("one that was revoked", async () => {
    const wary = { ...trust, denied: new Set([ordersId]) };
    expect(await call(serve(), outboundTls(cart, wary, toOrders))).toMatchObject({
      code: "ERR_PEER_REFUSED",
    });
  });
});

describe("a resumed session", () => {
  async function meet(server: TlsListener, tls: TlsClientOptions): Promise<void> {
    const before = server.secured.length;
    const client = await dialled(runtime, { host: "127.0.0.1", port: server.port, timeoutMs: hangMs, tls });
    await until(() => server.secured.length > before, "the service agrees");
    server.secured[before]?.socket.write(new TextEncoder().encode("x"));
    await until(() => client.heard.received === 1, "the ticket has arrived");
    client.socket.destroy();
  }

  test("does not outlive the certificate that it began with", async () => {
    const { server, tls } = await outlived(async (notAfter) => {
      const server = serve();
      const tls = outboundTls(await authority.issue({ uri: cartId, notAfter }), trust, toOrders);
      await meet(server, tls);
      await meet(server, tls);
      return { server, tls };
    });
    expect(server.secured[1]?.socket.tls?.resumed).toBe(true);
    await call(server, tls);
    await until(() => server.refused.length === 1, "the service refuses");
    expect(server.refused[0]).toMatchObject({ kind: "tls", code: "CERT_HAS_EXPIRED" });
  });

  test("does not outlive a revocation", async () => {
    let trusted = trust;
    const server = serve(orders, () => trusted);
    const tls = outboundTls(await authority.issue({ uri: cartId }), trust, toOrders);
    await meet(server, tls);
    trusted = { ...trust, denied: new Set([cartId]) };
    await call(server, tls);
    await until(() => server.refused.length === 1, "the service refuses");
    expect(server.refused[0]?.message).toBe(`${cartId} was revoked`);
  });
});

describe("what the authority issues", () => {
  let nowMs = Date.now();
  let saved: AuthorityState = state;
  const issuing = new Authority(
    state,
    async (next) => void (saved = next),
    () => nowMs,
  );
  const trustNow = (): Trust => ({ trustDomain, rootsPem: issuing.bundle.rootsPem, denied: new Set() });

  async function issue(spiffeId: string): Promise<TlsCredential> {
    const key = generateKey();
    const { chainPem } = await issuing.issue({ spiffeId, publicKey: key.publicKey, ttlMs: hourMs });
    return { chainPem, keyPem: key.privatePem };
  }

  async function expectMeeting(server: TlsCredential, client: TlsCredential, believed: Trust): Promise<void> {
    const listener = serve(server, () => believed);
    const answer = await call(listener, outboundTls(client, believed, toOrders));
    if ("kind" in answer) throw new Error(answer.message);
    await until(() => listener.secured.length === 1, "the service agrees");
    answer.socket.destroy();
  }

  test("is accepted on both sides, through every step of a rotation of the root", async () => {
    const old = { server: await issue(ordersId), client: await issue(cartId) };
    const before = trustNow();
    await expectMeeting(old.server, old.client, before);
    await issuing.addRoot();
    const both = trustNow();
    await expectMeeting(old.server, old.client, both);
    await issuing.switchRoot();
    const fresh = { server: await issue(ordersId), client: await issue(cartId) };
    await expectMeeting(fresh.server, old.client, both);
    await expectMeeting(old.server, fresh.client, both);
    await expectMeeting(fresh.server, fresh.client, both);
    nowMs += 2 * hourMs;
    await issuing.removeOldRoot();
    const after = trustNow();
    await expectMeeting(fresh.server, fresh.client, after);
    const closed = serve(fresh.server, () => after);
    await call(closed, outboundTls(old.client, after, toOrders));
    await until(() => closed.refused.length === 1, "the old root is trusted no more");
    nowMs = Date.now();
  });

  test.skipIf(!haveOpenssl)(
    "does not let its own intermediate or root speak for anybody (needs openssl)",
    async () => {
      for (const signer of [saved.intermediate, saved.roots[0] as typeof saved.intermediate]) {
        const folder = mkdtempSync("/tmp/heddle-handshake-");
        writeFileSync(`${folder}/chain.pem`, signer.certificatePem);
        writeFileSync(`${folder}/key.pem`, signer.keyPem);
        const server = serve(await issue(ordersId), trustNow);
        await openssl(server, "-tls1_3", "-cert", `${folder}/chain.pem`, "-key", `${folder}/key.pem`);
        await until(() => server.refused.length === 1, "the service refuses");
        expect(server.refused[0]?.kind).toBe("tls");
        rmSync(folder, { recursive: true });
      }
    },
  );
});
