/** A server that says it takes TLS 1.2: what of it, beside TLS 1.3. Told by openssl's client. */
import { afterAll, describe, expect, test } from "bun:test";
import { spawn, spawnSync } from "node:child_process";
import { createRuntime } from "../../../runtime/bun/runtime.ts";
import { makeTestAuthority } from "../../support/certificates.ts";
import { hangMs } from "../../support/patience.ts";
import { listenTls, type TlsListener } from "../../support/tls.ts";

const haveOpenssl = spawnSync("openssl", ["version"]).status === 0;
const authority = await makeTestAuthority();
const credential = await authority.issue({ dns: ["shop.example"], usages: ["server"] });
const servers: TlsListener[] = [];
afterAll(() => {
  for (const { listener } of servers) listener.close();
});

function serve(older: boolean): TlsListener {
  const server = listenTls(createRuntime(), () => ({
    ...{ credential, trustPem: [], alpn: ["h2", "http/1.1"], peer: "none", handshakeTimeoutMs: hangMs },
    ...(older ? { minVersion: "1.2" } : {}),
    accept: () => null,
  }));
  servers.push(server);
  return server;
}

/** The cipher that both agreed on; "" for none. */
async function cipherOf(server: TlsListener, ...flags: readonly string[]): Promise<string> {
  const client = spawn("openssl", ["s_client", ...flags, "-connect", `127.0.0.1:${server.port}`]);
  client.stdin.end();
  let said = "";
  client.stdout.on("data", (chunk) => (said += String(chunk)));
  await new Promise((over) => client.on("close", over));
  const found = /^New, .*, Cipher is (.*)$/m.exec(said)?.[1] ?? "";
  return found === "(NONE)" ? "" : found;
}

describe.skipIf(!haveOpenssl)("a server that takes TLS 1.2 (needs openssl)", () => {
  test("speaks it with ephemeral keys and authenticated encryption, and TLS 1.3 with whoever can", async () => {
    const server = serve(true);
    expect(await cipherOf(server, "-tls1_2")).toMatch(/^ECDHE-ECDSA-.*(GCM|POLY1305)/);
    expect(await cipherOf(server)).toStartWith("TLS_");
  });

  test("chooses the cipher itself", async () => {
    const server = serve(true);
    const [one, other] = ["ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-GCM-SHA256"];
    const chosen = [`${one}:${other}`, `${other}:${one}`].map((wanted) =>
      cipherOf(server, "-tls1_2", "-cipher", wanted),
    );
    expect(await Promise.all(chosen)).toEqual([other, other]);
  });

  for (const weak of ["ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES128-SHA256", "AES128-GCM-SHA256"])
    test(`does not with ${weak}`, async () => {
      expect(await cipherOf(serve(true), "-tls1_2", "-cipher", `${weak}:@SECLEVEL=0`)).toBe("");
    });

  test("takes nothing older", async () => {
    expect(await cipherOf(serve(true), "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")).toBe("");
  });

  test("does so only where it says it", async () => {
    expect(await cipherOf(serve(false), "-tls1_2")).toBe("");
  });
});
