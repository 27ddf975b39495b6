/** Two networks without a route between them are one mesh through the compiled binary, by gateways that pass its TLS on. */
import { X509Certificate } from "node:crypto";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { binaryMissing } from "../../compile/repository.ts";
import { ports } from "../../src/model/ports.ts";
import { gates, meshPort, NetworksScene, webs } from "../support/networks_scene.ts";
import { testMs } from "../support/patience.ts";
import { networksMissing } from "../support/separate_networks.ts";

setDefaultTimeout(testMs);

const why = networksMissing === null ? "" : ` (skipped: ${networksMissing})`;

describe.skipIf(binaryMissing || why !== "")(`two networks without a route between them${why}`, () => {
  let scene: NetworksScene;

  beforeAll(async () => {
    scene = await NetworksScene.start();
  });

  afterAll(async () => {
    await scene?.close();
  });

  const answering = (): Set<string> => new Set(Array.from({ length: 10 }, () => scene.call("web").version));

  test("are one mesh: every instance is called, by a way that leads straight to none", () => {
    for (const name of webs) {
      const straight = `https://${scene.networks.addressOf(name, "east")}:${ports.inbound}/`;
      expect(() => scene.curl("shop", "--insecure", straight)).toThrow();
    }
    // Rules of web let the shop in, by its own identity.
    expect(answering()).toEqual(new Set(webs));
  });

  test("are passed between by a gateway that opens no connection, and leads nowhere else", () => {
    const gate = scene.networks.addressOf("gate-1", "west");
    const ask = (serverName: string): string => {
      const name = serverName === "" ? "-noservername" : `-servername ${serverName}`;
      const command = `openssl s_client -connect ${gate}:${meshPort} ${name} </dev/null 2>&1 || true`;
      return scene.networks.run("shop", ["sh", "-c", command]);
    };
    const shown = ask("web-1.at.web.default.mesh");
    const [pem = ""] = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/.exec(shown) ?? [];
    expect(new X509Certificate(pem).subjectAltName).toBe("URI:spiffe://mesh.test/ns/default/sa/web");
    for (const name of ["", "web.default.mesh", "web-3.at.web.default.mesh", "example.com"])
      expect(ask(name)).toContain("unrecognized name");
  });

  test("have services outside that a gateway leads to: they see its address, and it judges who calls", () => {
    expect(() => scene.curl("shop", `http://${scene.networks.addressOf("outside", "east")}:8080/`)).toThrow();
    const seen = Array.from({ length: 4 }, () => scene.call("pay"));
    const addresses = gates.map((name) => scene.networks.addressOf(name, "east"));
    for (const { from, headers } of seen) {
      expect(addresses).toContain(from);
      expect(headers["host"]).toBe("pay.example");
    }
    expect(scene.statusForGuest("pay")).toBe("403");
  });

  test("go on when a gateway is gone", async () => {
    await scene.kill("gate-1");
    expect(answering()).toEqual(new Set(webs));
    expect(scene.call("pay").from).toBe(scene.networks.addressOf("gate-2", "east"));
  });
});
