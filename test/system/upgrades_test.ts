/**
 * Upgrades through the compiled binary, to an app that switches to whatever it is asked for: a tunnel stands only where the service's
 * document names its protocol, and the access log of both machines says so.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { binaryMissing } from "../../compile/repository.ts";
import { ports } from "../../src/model/ports.ts";
import { addressOf } from "../support/addresses.ts";
import { startMesh, type Mesh } from "../support/mesh.ts";
import { runtime } from "../support/runtime_under_test.ts";
import { waitFor } from "../support/processes.ts";
import { dialled, until, type End } from "../support/sockets.ts";
import { startSwitchingApp } from "../support/switching_app.ts";
import { hangMs, testMs } from "../support/patience.ts";

describe.skipIf(binaryMissing)("an upgrade", () => {
  const app = startSwitchingApp();
  let mesh: Mesh;

  beforeAll(async () => {
    const access = "allow: [{from: caller, methods: [GET], paths: [/public]}]";
    const services = (["plain", "named"] as const).map((service) => ({
      service,
      host: "127.0.0.1",
      port: app.port,
    }));
    mesh = await startMesh({
      documents: `
{kind: Service, name: caller, port: 80, protocol: http}
---
{kind: Service, name: plain, port: 80, protocol: http}
---
{kind: Service, name: named, port: 80, protocol: http, upgrades: [Chat]}
---
{kind: Access, name: plain, service: plain, ${access}}
---
{kind: Access, name: named, service: named, ${access}}
`,
      machines: [
        {
          name: "vm-a",
          services: [{ service: "caller", app: "none", calls: { plain: "by-name", named: "by-name" } }],
        },
        { name: "vm-b", services: services.slice(0, 1) },
        { name: "vm-c", services: services.slice(1) },
      ],
      proxyFlags: ["--log-sample", "0"],
    });
  }, testMs);
  afterAll(async () => {
    await mesh?.stop();
    app.close();
  });

  async function ask(end: End, text: string): Promise<string> {
    const before = end.heard.text().length;
    end.socket.write(Buffer.from(text));
    const heard = (): string => end.heard.text().slice(before);
    await until(() => heard().includes("\r\n\r\n") || end.heard.closed, "it is answered");
    return heard();
  }

  const open = (): Promise<End> => {
    const { address, httpPort } = mesh.machine("vm-a");
    const port = httpPort.call(mesh.machine("vm-a"), "caller");
    return dialled(runtime, { host: address, port, timeoutMs: hangMs });
  };
  const offer = (service: string, upgrade: string): string =>
    `GET /public HTTP/1.1\r\nHost: ${service}.mesh\r\nConnection: Upgrade, HTTP2-Settings\r\n` +
    `Upgrade: ${upgrade}\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n`;

  test("to h2c opens no way past the access rules: what follows is one more request, and judged", async () => {
    for (const service of ["plain", "named"]) {
      const end = await open();
      expect(await ask(end, offer(service, "h2c"))).toStartWith("HTTP/1.1 200 OK");
      const denied = await ask(end, `DELETE /admin HTTP/1.1\r\nHost: ${service}.mesh\r\n\r\n`);
      expect(denied).toStartWith("HTTP/1.1 403");
      end.socket.destroy();
    }
    expect(app.heads.join()).not.toMatch(/h2c|http2-settings|delete/);
  });

  test("or CONNECT on the controller's port, by somebody without a certificate, is answered, and CONNECT ended", async () => {
    const dial = (): Promise<End> =>
      dialled(runtime, {
        ...{ host: addressOf(0), port: ports.controller, timeoutMs: hangMs },
        tls: {
          ...{ trustPem: [], alpn: ["http/1.1"], serverName: "controller.heddle", verify: "unverified" },
          ...{ handshakeTimeoutMs: hangMs, accept: () => null },
        },
      });
    const tunnel = await dial();
    expect(await ask(tunnel, "CONNECT vm-a:22 HTTP/1.1\r\nHost: vm-a:22\r\n\r\n")).toStartWith(
      "HTTP/1.1 405",
    );
    await until(() => tunnel.heard.ended || tunnel.heard.closed, "it is ended");
    const upgrade = await dial();
    for (const [before, protocol] of ["chat", "h2c"].entries()) {
      upgrade.socket.write(Buffer.from(offer("controller", protocol)));
      const answers = (): number => upgrade.heard.text().split("HTTP/1.1 404 ").length - 1;
      await until(() => answers() === before + 1, `${protocol} is answered`);
    }
    for (const { socket } of [tunnel, upgrade]) socket.destroy();
  });

  test("that the service names passes, and both machines log it", async () => {
    const end = await open();
    expect(await ask(end, offer("plain", "chat"))).toStartWith("HTTP/1.1 200 OK");
    expect(await ask(end, offer("named", "h2c, chat"))).toStartWith("HTTP/1.1 101");
    end.socket.write(Buffer.from("ping"));
    await until(() => end.heard.text().endsWith("ping"), "bytes come back");
    end.socket.destroy();
    for (const name of ["vm-a", "vm-c"]) {
      const line = (): string | null =>
        readFileSync(`${mesh.folder}/${name}.log`, "utf8")
          .split("\n")
          .find((each) => each.includes('"upgrade":"chat"')) ?? null;
      const found = JSON.parse(await waitFor(`${name} logs it`, line)) as Record<string, unknown>;
      expect(found).toMatchObject({
        src: "caller.default",
        dst: "named.default",
        path: "/public",
        status: 101,
      });
    }
  });
});
