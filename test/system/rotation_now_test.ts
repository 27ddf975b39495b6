/**
 * `heddle ca rotate --now` while services call one another: no request fails and no stream breaks, and what the old root signed
 * is worth nothing afterwards, on connections that stood before it, too.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFileSync, readFileSync } from "node:fs";
import { connect } from "node:http2";
import { createRuntime } from "../../runtime/bun/runtime.ts";
import { binaryMissing } from "../../compile/repository.ts";
import type { AuthorityAnswer } from "../../src/api/authority_messages.ts";
import { sharedAlpn } from "../../src/identity/tls_options.ts";
import type { Credential } from "../../src/identity/credential_store.ts";
import { ports } from "../../src/model/ports.ts";
import { serverNameOf } from "../../src/model/service.ts";
import { frameTypes } from "../../src/wire/h2/frames.ts";
import { heddle } from "../support/command.ts";
import { headers, opening } from "../support/h2_frames.ts";
import { H2Peer } from "../support/h2_peer.ts";
import { callByName, callUntil } from "../support/http_calls.ts";
import { startMesh, type Machine, type Mesh } from "../support/mesh.ts";
import { hangMs, testMs } from "../support/patience.ts";
import { waitFor } from "../support/processes.ts";
import { dialled, until } from "../support/sockets.ts";
import { SteadyLoad } from "../support/steady_load.ts";
import { requestOn, SteadyStreams } from "../support/steady_streams.ts";

const documents = `
{kind: Service, name: caller, port: 80, protocol: http}
---
{kind: Service, name: web, port: 80, protocol: http}
---
{kind: Service, name: queue, port: 80, protocol: tcp}
`;
const queuePort = 9_001;
const tickMs = 100;
const ticks = 150;
const runtime = createRuntime();

describe.skipIf(binaryMissing)("a root that is replaced in a hurry", () => {
  let mesh: Mesh;
  let [caller, called] = [] as unknown as [Machine, Machine];

  beforeAll(async () => {
    const calls = { web: "by-name", queue: queuePort } as const;
    mesh = await startMesh({
      documents,
      machines: [
        { name: "vm-a", services: [{ service: "caller", app: "none", calls }] },
        { name: "vm-b", services: [{ service: "web" }, { service: "queue", app: "tcp" }] },
        { name: "vm-c", services: [{ service: "web" }] },
      ],
    });
    [caller, called] = [mesh.machine("vm-a"), mesh.machine("vm-b")];
    // The control plane's own machine runs no proxy in this mesh: nobody there could come to trust a new root.
    mesh.heddle("node", "remove", "control", "--yes");
    await callUntil(
      "vm-a reaches web",
      () => callByName(caller, "caller", "web"),
      ({ status }) => status === 200,
    );
  }, testMs);
  afterAll(async () => await mesh?.stop());

  const authority = (...words: readonly string[]): AuthorityAnswer =>
    JSON.parse(mesh.heddle("ca", ...words, "--output", "json")) as AuthorityAnswer;

  /** On the port of vm-b for other proxies, as whoever has that credential: what it trusts is its own affair. */
  function dialAs({ tls }: Credential): Promise<H2Peer> {
    return new Promise((resolve, reject) => {
      const { net } = runtime;
      const { address: host } = called;
      const client = {
        credential: tls,
        trustPem: [],
        alpn: [sharedAlpn],
        accept: () => null,
        handshakeTimeoutMs: hangMs,
        serverName: serverNameOf({ name: "web", namespace: "default" }),
        verify: "unverified",
      } as const;
      net.connect(
        { host, port: ports.inbound, timeoutMs: hangMs, tls: client },
        {
          opened(socket) {
            const peer = new H2Peer(socket);
            resolve(peer);
            peer.send(opening);
            return peer;
          },
          failed: (error) => reject(new Error(error.message)),
        },
      );
    });
  }

  const call = (peer: H2Peer, streamId: number): void =>
    peer.send(
      headers(streamId, [
        [":method", "GET"],
        [":scheme", "http"],
        [":path", "/"],
        [":authority", "web.mesh"],
      ]),
    );

  test(
    "fails no request and breaks no stream, and takes nothing of the old one afterwards",
    async () => {
      const stolen = JSON.parse(
        readFileSync(`${caller.state}/credentials/service.caller.default.json`, "utf8"),
      ) as Credential;
      copyFileSync(`${mesh.folder}/control/control/operator.json`, `${mesh.folder}/stolen.json`);
      const asThief = (): string =>
        heddle(["status"], { env: { HEDDLE_OPERATOR: `${mesh.folder}/stolen.json` } }).err;
      expect(asThief()).toBe("");
      const held = await dialAs(stolen);
      call(held, 1);
      await held.until(
        (peer) => peer.of(frameTypes.headers, 1).length > 0,
        "the old certificate is taken at first",
      );

      const at = { host: caller.address, port: caller.httpPort("caller"), authority: "web.mesh", everyMs: 5 };
      const first = new SteadyLoad({ ...at, path: "/", connections: 4 }).start();
      const second = new SteadyStreams({ ...at, path: "/", connections: 2, streams: 4 }).start();
      const streamed = callByName(caller, "caller", "web", {
        path: `/tick?ms=${tickMs}&count=${ticks}`,
        limitMs: 2 * hangMs,
      });
      const session = connect(`http://${at.host}:${at.port}`);
      const streamedToo = requestOn(session, at.authority, `/tick?ms=${tickMs}&count=${ticks}`, 2 * hangMs);
      const opaque = await dialled(runtime, { host: at.host, port: queuePort, timeoutMs: hangMs });
      await until(() => opaque.heard.text().startsWith("queue v1\n"), "the opaque service greets");

      const done = authority("rotate", "--now");
      expect(done).toMatchObject({ phase: "none", roots: 1 });
      await waitFor("every machine to have dropped the old root", () =>
        authority("status").behind.length === 0 ? true : null,
      );
      opaque.socket.write(Buffer.from("still here"));
      await until(() => opaque.heard.text().endsWith("still here"), "the opaque connection goes on");
      const answered = [first.answered, second.answered];
      await waitFor("both loads to go on", () =>
        first.answered > (answered[0] ?? 0) + 500 && second.answered > (answered[1] ?? 0) + 500 ? true : null,
      );

      // What was signed by the old root, on a connection that stood, and on a new one.
      await held.until((peer) => peer.ended || peer.closed, "a connection of an old certificate ends");
      expect(held.goaway).toBe(0);
      const anew = await dialAs(stolen).catch(() => null);
      if (anew !== null) {
        call(anew, 1);
        await anew.until(
          (peer) => peer.closed || peer.ended,
          "a new connection of an old certificate is refused",
        );
        expect(anew.of(frameTypes.headers)).toEqual([]);
      }
      expect(asThief()).not.toBe("");

      await Promise.all([first.stop(), second.stop()]);
      const [one, two] = await Promise.all([streamed, streamedToo]);
      expect({ failures: first.failures, lost: first.lost }).toEqual({ failures: [], lost: 0 });
      expect({ failures: second.failures, lost: second.lost }).toEqual({ failures: [], lost: 0 });
      for (const { status, text } of [one, two])
        expect([status, text.trim().split("\n").length]).toEqual([200, ticks]);
      expect(two.problem).toBeNull();
      session.close();
      opaque.socket.destroy();
    },
    testMs,
  );
});
