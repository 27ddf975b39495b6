/** Contract of TLS over time: bulk, half-close, resumption, rotation, versions, deadlines. */
import { afterAll, describe, expect, test } from "bun:test";
import { spawn, spawnSync } from "node:child_process";
import type {
  Listener,
  TlsClientOptions,
  TlsCredential,
  TlsServerOptions,
} from "../../../runtime/contract.ts";
import { makeTestAuthority, outlived } from "../../support/certificates.ts";
import { runtime } from "../../support/runtime_under_test.ts";
import { dial, dialled, listen, until, type End } from "../../support/sockets.ts";
import { patterned, sendAll } from "../../support/streams.ts";
import { listenTls, type TlsListener } from "../../support/tls.ts";
import { hangMs, testMs } from "../../support/patience.ts";

const authority = await makeTestAuthority();
const ordersUri = "spiffe://mesh.test/ns/default/sa/orders";
const cartUri = "spiffe://mesh.test/ns/default/sa/cart";
const orders = await authority.issue({ uri: ordersUri });
const cart = await authority.issue({ uri: cartUri });
const haveOpenssl = spawnSync("openssl", ["version"]).status === 0;
const text = (words: string): Uint8Array => new TextEncoder().encode(words);

const open: Listener[] = [];
afterAll(() => {
  for (const listener of open) listener.close();
});

function serverOptions(credential: TlsCredential = orders): TlsServerOptions {
  return {
    credential,
    trustPem: [authority.rootPem],
    alpn: ["h2"],
    accept: () => null,
    handshakeTimeoutMs: hangMs,
    peer: "required",
  };
}

function serve(optionsFor: () => TlsServerOptions = () => serverOptions()): TlsListener {
  const server = listenTls(runtime, () => optionsFor());
  open.push(server.listener);
  return server;
}

const clientOptions: TlsClientOptions = {
  credential: cart,
  trustPem: [authority.rootPem],
  alpn: ["h2"],
  serverName: "orders.mesh",
  accept: () => null,
  handshakeTimeoutMs: hangMs,
  verify: "chain",
};

const call = (server: TlsListener, tls: TlsClientOptions = clientOptions) =>
  dial(runtime, { host: "127.0.0.1", port: server.port, timeoutMs: hangMs, tls });

async function pair(server: TlsListener, options: Partial<TlsClientOptions> = {}) {
  const before = server.secured.length;
  const client = await dialled(runtime, {
    host: "127.0.0.1",
    port: server.port,
    timeoutMs: hangMs,
    tls: { ...clientOptions, ...options },
  });
  await until(() => server.secured.length > before, "the server agrees");
  return { client, server: server.secured[before] as End };
}

describe("a TLS stream", () => {
  for (const direction of ["up", "down"] as const) {
    test(`carries 64 MiB ${direction} to a reader that pauses, without losing or changing a byte`, async () => {
      const ends = await pair(serve());
      const [from, to] = direction === "up" ? [ends.client, ends.server] : [ends.server, ends.client];
      const sent = patterned(64 * 1024 * 1024);
      let at = 0;
      let wrong = -1;
      let chunks = 0;
      to.heard.data = (chunk) => {
        for (let index = 0; index < chunk.length && wrong < 0; index += 97) {
          if (chunk[index] !== sent[at + index]) wrong = at + index;
        }
        at += chunk.length;
        if (++chunks % 100 === 0) {
          to.socket.pause();
          setTimeout(() => to.socket.resume(), 1);
        }
      };
      await sendAll(from, sent);
      from.socket.shutdown();
      await until(() => to.heard.ended, "the end arrives");
      expect(at).toBe(sent.length);
      expect(wrong).toBe(-1);
      to.socket.shutdown();
      await until(() => to.heard.closed && from.heard.closed, "both are closed");
      expect([to.heard.error, from.heard.error]).toEqual([null, null]);
    });
  }

  test("takes much that comes right behind the handshake, in one burst with its end", async () => {
    const server = serve();
    const sent = patterned(256 * 1024);
    for (let round = 0; round < 10; round++) {
      const target = { host: "127.0.0.1", port: server.port, timeoutMs: hangMs };
      const client = await dialled(runtime, { ...target, tls: clientOptions });
      await sendAll(client, sent);
      await until(() => server.secured[round]?.heard.received === sent.length, "all of it arrives");
      client.socket.destroy();
    }
    expect(server.refused).toEqual([]);
  });

  test("can be closed one direction at a time, from either side", async () => {
    const server = serve();
    const first = await pair(server);
    first.client.socket.write(text("question"));
    first.client.socket.shutdown();
    await until(() => first.server.heard.ended, "the end arrives");
    first.server.socket.write(text("answer"));
    await until(() => first.client.heard.text() === "answer", "the answer arrives after the end");
    first.server.socket.shutdown();
    await until(() => first.client.heard.closed && first.server.heard.closed, "both are closed");
    expect(first.client.heard.events).toEqual(["data", "end", "close"]);
    expect(first.server.heard.events).toEqual(["data", "end", "close"]);

    const second = await pair(server);
    second.server.socket.shutdown();
    await until(() => second.client.heard.ended, "the end arrives");
    second.client.socket.write(text("still here"));
    await until(() => second.server.heard.text() === "still here", "bytes arrive after the end");
    second.client.socket.shutdown();
    await until(() => second.client.heard.closed && second.server.heard.closed, "both are closed");
    expect(second.server.heard.events).toEqual(["data", "end", "close"].toSorted(byTime(second.server)));
  });

  test("tells a reset from an orderly end", async () => {
    const { client, server } = await pair(serve());
    client.socket.reset();
    await until(() => server.heard.closed, "the reset arrives");
    expect(server.heard.events).toEqual(["close reset"]);
  });

  test("may be paused as soon as it is there, and loses nothing", async () => {
    const server = listenTls(
      runtime,
      () => serverOptions(),
      (end) => end.socket.pause(),
    );
    open.push(server.listener);
    const { client, server: end } = await pair(server);
    client.socket.pause();
    client.socket.write(text("up"));
    end.socket.write(text("down"));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect([client.heard.received, end.heard.received]).toEqual([0, 0]);
    client.socket.resume();
    end.socket.resume();
    await until(() => client.heard.text() === "down" && end.heard.text() === "up", "both arrive");
    client.socket.destroy();
  });

  test("that pauses on its first chunk, after its own FIN, still gets all before the end", async () => {
    const ends = await pair(serve());
    const { client, server } = ends;
    const records = 40;
    server.socket.shutdown();
    await until(() => client.heard.ended, "the FIN arrives");
    const events: string[] = [];
    let received = 0;
    server.socket.handler = {
      data(chunk) {
        received += chunk.length;
        server.socket.pause();
        runtime.clock.after(1, () => server.socket.resume());
      },
      drain() {},
      end: () => void events.push(`end after ${received}`),
      close: (error) => void events.push(`close ${error?.kind ?? "orderly"}`),
    };
    // Many records in one read of the server, and the end with them.
    for (let count = 0; count < records; count++) client.socket.write(text("0123456789"));
    client.socket.shutdown();
    await until(() => events.length === 2, "it is over");
    expect(events).toEqual([`end after ${records * 10}`, "close orderly"]);
  });

  test("that is destroyed still delivers what was taken", async () => {
    const { client, server } = await pair(serve());
    server.socket.pause();
    const taken = client.socket.write(patterned(512 * 1024));
    client.socket.destroy();
    server.socket.resume();
    await until(() => server.heard.ended, "the end arrives");
    expect(server.heard.received).toBe(taken);
    server.socket.destroy();
  });

  test("that is paused keeps the peer from sending without end", async () => {
    const { client, server } = await pair(serve());
    server.socket.pause();
    const block = new Uint8Array(1024 * 1024);
    let sent = 0;
    for (let idle = 0; idle < 20;) {
      const taken = client.socket.write(block);
      sent += taken;
      idle = taken === 0 ? idle + 1 : 0;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(server.heard.received).toBe(0);
    expect(sent).toBeLessThan(32 * 1024 * 1024);
    server.heard.keep = false;
    server.socket.resume();
    await until(() => server.heard.received === sent, "all that was taken arrives");
    client.socket.destroy();
  });
});

/** Keeps the order that was heard: what is compared is that each came, once. */
function byTime(end: End): (one: string, other: string) => number {
  return (one, other) => end.heard.events.indexOf(one) - end.heard.events.indexOf(other);
}

describe("a resumed session", () => {
  /** The ticket arrives after the handshake, with the first bytes of the server. */
  async function withTicket(server: TlsListener, options: Partial<TlsClientOptions> = {}) {
    const first = await pair(server, options);
    first.server.socket.write(text("x"));
    await until(() => first.client.heard.received === 1, "the ticket has arrived");
    first.client.socket.destroy();
  }

  test("spares the handshake and still tells and asks who is there", async () => {
    const server = serve();
    const credential = await authority.issue({ uri: cartUri });
    await withTicket(server, { credential });
    let asked = 0;
    const accept = () => (asked++, null);
    const second = await pair(server, { credential, accept });
    expect(second.client.socket.tls?.resumed).toBe(true);
    expect(second.server.socket.tls?.resumed).toBe(true);
    expect(second.client.socket.tls?.peer?.uris).toEqual([ordersUri]);
    expect(second.server.socket.tls?.peer?.uris).toEqual([cartUri]);
    expect(asked).toBe(1);
    second.client.socket.destroy();
  });

  test(
    "ends with the certificate of either side",
    async () => {
      const { clientLeaf, shortServer, longServer } = await outlived(async (notAfter) => {
        const serverLeaf = await authority.issue({ uri: ordersUri, notAfter });
        const clientLeaf = await authority.issue({ uri: cartUri, notAfter });
        const shortServer = serve(() => serverOptions(serverLeaf));
        const longServer = serve();
        await withTicket(shortServer);
        await withTicket(longServer, { credential: clientLeaf });
        return { clientLeaf, shortServer, longServer };
      });
      const target = { host: "127.0.0.1", port: shortServer.port, timeoutMs: hangMs, tls: clientOptions };
      expect(await dial(runtime, target)).toMatchObject({ kind: "tls", code: "CERT_HAS_EXPIRED" });
      const tls = { ...clientOptions, credential: clientLeaf };
      await call(longServer, tls);
      await until(() => longServer.refused.length === 1, "the server refuses");
      expect(longServer.refused[0]).toMatchObject({ kind: "tls", code: "CERT_HAS_EXPIRED" });
      expect(longServer.secured.length).toBe(1);
    },
    testMs,
  );

  test("does not outlive the trust in its issuer", async () => {
    const trusting = { ...serverOptions() };
    const other = await makeTestAuthority();
    let trustPem: readonly string[] = trusting.trustPem;
    const server = serve(() => ({ ...trusting, trustPem }));
    await withTicket(server);
    trustPem = [other.rootPem];
    await call(server);
    await until(() => server.refused.length === 1, "the server refuses");
    const trusts = { ...clientOptions, trustPem: [other.rootPem] };
    expect(await call(server, trusts)).toMatchObject({ kind: "tls" });
  });
});

describe("one port", () => {
  test("shows each connection the credential chosen for it, also while they rotate", async () => {
    const payments = await authority.issue({ uri: "spiffe://mesh.test/ns/default/sa/payments" });
    let current = orders;
    const server = serve(() => serverOptions(current));
    const kept = await pair(server);
    expect(kept.client.socket.tls?.peer?.uris).toEqual([ordersUri]);
    current = payments;
    const next = await pair(server);
    expect(next.client.socket.tls?.peer?.uris).toEqual(["spiffe://mesh.test/ns/default/sa/payments"]);
    kept.client.socket.write(text("still"));
    await until(() => kept.server.heard.text() === "still", "the older connection lives on");
    kept.client.socket.destroy();
    next.client.socket.destroy();
  });

  test("serves chains with an intermediate, and reads all URI names as written", async () => {
    const below = await authority.intermediate();
    const uris = ["spiffe://mesh.test/a, URI:spiffe://mesh.test/b", 'spiffe://mesh.test/"c"'];
    const odd = await below.issue({ uri: uris });
    const server = serve(() => serverOptions(odd));
    const { client } = await pair(server);
    expect(client.socket.tls?.peer?.uris).toEqual(uris);
    client.socket.destroy();
  });
});

describe("a peer that", () => {
  test("sends more certificates than any chain needs is refused by the server", async () => {
    const filler = await Promise.all(Array.from({ length: 250 }, () => authority.issue({ uri: cartUri })));
    const credential = {
      ...cart,
      chainPem: cart.chainPem + filler.map((one) => one.chainPem).join(""),
    };
    const server = serve();
    const tls = { ...clientOptions, credential };
    await call(server, tls);
    await until(() => server.refused.length === 1, "the server refuses");
    expect(server.refused[0]?.kind).toBe("tls");
    expect(server.secured).toEqual([]);
  });

  test("says nothing during the handshake is cut after the time it has", async () => {
    const silent = listen(runtime);
    open.push(silent.listener);
    const answer = await dial(runtime, {
      host: "127.0.0.1",
      port: silent.port,
      timeoutMs: hangMs,
      tls: { ...clientOptions, handshakeTimeoutMs: 100 },
    });
    expect(answer).toMatchObject({ kind: "timeout" });
    await until(() => silent.accepted[0]?.heard.ended === true, "the connection is closed");

    const server = serve(() => ({ ...serverOptions(), handshakeTimeoutMs: 300 }));
    const plain = await dialled(runtime, { host: "127.0.0.1", port: server.port, timeoutMs: hangMs });
    plain.socket.write(Uint8Array.of(22, 3, 1, 1, 0, 1));
    await until(() => server.refused.length === 1, "the server gives up");
    expect(server.refused[0]?.kind).toBe("timeout");
    await until(() => plain.heard.ended || plain.heard.closed, "the connection is closed");
    plain.socket.destroy();
  });

  test("talks something else than TLS is refused", async () => {
    const server = serve();
    const plain = await dialled(runtime, { host: "127.0.0.1", port: server.port, timeoutMs: hangMs });
    plain.socket.write(text("GET / HTTP/1.1\r\nHost: orders.mesh\r\n\r\n"));
    await until(() => server.refused.length === 1, "the server refuses");
    expect(server.refused[0]?.kind).toBe("tls");
    plain.socket.destroy();
  });

  test("leaves during the handshake fails it once", async () => {
    const server = serve(() => ({ ...serverOptions(), handshakeTimeoutMs: 300 }));
    const plain = await dialled(runtime, { host: "127.0.0.1", port: server.port, timeoutMs: hangMs });
    plain.socket.write(Uint8Array.of(22, 3, 1, 1, 0, 1));
    plain.socket.reset();
    await until(() => server.refused.length === 1, "the server gives up");
    await new Promise((resolve) => setTimeout(resolve, 350));
    expect(server.refused.length).toBe(1);
  });

  test.skipIf(!haveOpenssl)("speaks TLS 1.2 only is refused (needs openssl)", async () => {
    const server = serve(() => ({ ...serverOptions(), peer: "optional" }));
    for (const [version, line] of [
      ["-tls1_2", null],
      ["-tls1_3", "TLSv1.3"],
    ] as const) {
      const client = spawn("openssl", [
        "s_client",
        version,
        "-alpn",
        "h2",
        "-connect",
        `127.0.0.1:${server.port}`,
      ]);
      let out = "";
      client.stdout.on("data", (chunk) => (out += String(chunk)));
      const gone = new Promise((resolve) => client.on("exit", resolve));
      if (line === null) {
        await gone;
        expect(server.secured).toEqual([]);
        expect(server.refused.length).toBe(1);
      } else {
        await until(() => server.secured.length === 1, "TLS 1.3 gets in");
        client.stdin.end();
        server.secured[0]?.socket.destroy();
        await gone;
        expect(out).toContain(line);
      }
    }
  });
});
