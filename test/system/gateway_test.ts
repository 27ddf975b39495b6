/** A gateway through the compiled binary: callers from outside of the mesh come in by HTTP, HTTPS, TLS that stays closed, and TCP. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { connect as connectTls } from "node:tls";
import { binaryMissing, bun, root } from "../../compile/repository.ts";
import { addressOf } from "../support/addresses.ts";
import type { Seen } from "../support/apps.ts";
import { makeTestAuthority, type TestAuthority } from "../support/certificates.ts";
import { heddleRunning } from "../support/command.ts";
import { startProgram, waitFor, type Program } from "../support/processes.ts";
import { testMs } from "../support/patience.ts";

setDefaultTimeout(testMs);

const [edge, inner] = [addressOf(90), addressOf(91)];

interface Told {
  readonly status: number;
  readonly version: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

describe.skipIf(binaryMissing)("a gateway", () => {
  const folder = mkdtempSync(`${tmpdir()}/heddle-gateway-test-`);
  const running: Program[] = [];
  let authority: TestAuthority;
  let dev: Program;
  let vault: ReturnType<typeof Bun.serve>;

  const documents = (certificates: string, vip: string) => `
{kind: Service, name: web, port: 80, protocol: http}
---
{kind: Service, name: db, port: 5432, protocol: tcp}
---
{kind: Service, name: hidden, port: 5433, protocol: tcp}
---
{kind: Service, name: vault, port: 443, protocol: tls}
---
kind: Gateway
name: edge
listeners:
  - {name: plain, address: ${edge}, port: 8000, protocol: http, ready: /-/ready}
  - {name: moved, address: ${edge}, port: 8001, protocol: http, redirect: https}
  - {name: raw, address: ${edge}, port: 8002, protocol: tcp, service: db}
  - {name: refused, address: ${edge}, port: 8003, protocol: tcp, service: hidden}
  - {name: few, address: ${edge}, port: 8004, protocol: http, connections: 2}
  - {name: closed, address: ${edge}, port: 8444, protocol: tls}
  - {name: balanced, address: ${edge}, port: 8005, protocol: http, proxyProtocol: true}
  - name: secure
    address: ${edge}
    port: 8443
    protocol: https
    certificates: ${certificates}
  - {name: balanced-tls, address: ${edge}, port: 8445, protocol: https, proxyProtocol: true, certificates: ${certificates}}
  - {name: vip, address: ${edge}, port: 8443, protocol: https, hostname: vip.example, minVersion: "1.2", certificates: [${vip}]}
---
kind: HTTPRoute
name: shop
gateway: edge
hostnames: [shop.example, "*.shop.example", vip.example]
rules:
  - {match: {path: /v1}, backends: [{service: web}]}
  - {match: {path: /old}, redirect: {prefix: /v1}}
---
kind: HTTPRoute
name: plain-only
gateway: edge
listener: plain
hostnames: [plain.example]
rules: [{backends: [{service: web}]}]
---
{kind: TLSRoute, name: vault, gateway: edge, hostnames: [vault.example], backends: [{service: vault}]}
---
{kind: Access, name: web, service: web, allow: [{from: {gateway: edge}, paths: [/v1/*, /v1]}, {from: {cidr: 127.0.0.0/8}, methods: [PUT]}]}
---
{kind: Access, name: db, service: db, allow: [{from: {cidr: 127.0.0.0/8}}]}
---
{kind: Access, name: hidden, service: hidden, allow: [{from: {cidr: 10.0.0.0/8}}]}
`;

  async function writeCertificate(file: string, dns: readonly string[]): Promise<string> {
    const { chainPem, keyPem } = await authority.issue({ dns, usages: ["server"] });
    writeFileSync(`${folder}/${file}.key`, keyPem);
    writeFileSync(`${folder}/${file}.pem`, chainPem);
    return `{certificate: ${folder}/${file}.pem, key: ${folder}/${file}.key}`;
  }

  beforeAll(async () => {
    authority = await makeTestAuthority();
    writeFileSync(`${folder}/root.pem`, authority.rootPem);
    const shop = await writeCertificate("shop", ["shop.example"]);
    const below = await writeCertificate("below", ["*.shop.example"]);
    const inVault = await authority.issue({ dns: ["vault.example"], usages: ["server"] });
    vault = Bun.serve({
      ...{ hostname: inner, port: 8443, fetch: () => new Response("the vault") },
      tls: { cert: inVault.chainPem, key: inVault.keyPem },
    });
    for (const [kind, service, port] of [
      ["http", "web", 8080],
      ["tcp", "db", 8081],
    ] as const)
      running.push(
        startProgram({
          name: service,
          command: [bun, `${root}/test/support/apps.ts`, kind, inner, String(port), service, "v1"],
          log: `${folder}/apps.log`,
        }),
      );
    const services = [
      { service: "web", host: inner, port: 8080 },
      { service: "db", host: inner, port: 8081 },
      { service: "hidden", host: inner, port: 8081 },
      { service: "vault", host: inner, port: 8443 },
    ];
    const mesh = mkdtempSync(`${folder}/mesh-`);
    const vip = await writeCertificate("vip", ["vip.example"]);
    writeFileSync(`${mesh}/mesh.yaml`, documents(`[${shop}, ${below}]`, vip));
    writeFileSync(
      `${mesh}/edge.yaml`,
      JSON.stringify({ kind: "Machine", name: "vm-edge", address: edge, gateways: ["edge"] }),
    );
    writeFileSync(
      `${mesh}/inner.yaml`,
      JSON.stringify({ kind: "Machine", name: "vm-inner", address: inner, services }),
    );
    dev = heddleRunning(["dev", mesh], `${folder}/dev.log`);
    running.push(dev);
    await waitFor(
      "the gateway answers",
      async () => ((await ask("http://shop.example:8000/v1")).status === 200 ? true : null),
      {
        program: dev,
        everyMs: 100,
      },
    );
  }, testMs);
  afterAll(async () => {
    vault?.stop(true);
    await Promise.all(running.map((each) => each.stop()));
    rmSync(folder, { recursive: true });
  });

  /** By curl, which resolves every name to the gateway. */
  async function ask(url: string, ...more: readonly string[]): Promise<Told> {
    const command = [
      "curl",
      "-sS",
      "-i",
      "--http1.1",
      "--connect-to",
      `::${edge}:`,
      "--cacert",
      `${folder}/root.pem`,
      ...more,
      url,
    ];
    const child = Bun.spawn(command, { stdout: "pipe", stderr: "pipe" });
    const [text, said] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    const [head = "", ...rest] = text.split("\r\n\r\n");
    const [line = "", ...fields] = head.split("\r\n");
    const headers = new Map(
      fields.map((each) => [
        each.slice(0, each.indexOf(":")).toLowerCase(),
        each.slice(each.indexOf(":") + 2),
      ]),
    );
    return {
      status: Number(line.split(" ")[1] ?? 0),
      version: line.split(" ")[0] ?? "",
      headers,
      body: rest.join("\r\n\r\n") || said,
    };
  }

  const seenBy = ({ body }: Told): Seen => JSON.parse(body) as Seen;

  for (const version of ["--http1.1", "--http2"])
    test(`serves HTTPS with ${version}, with the certificate of the name that is asked for`, async () => {
      for (const host of ["shop.example", "a.shop.example"]) {
        const told = await ask(`https://${host}:8443/v1/x`, version);
        expect([host, told.status, told.version]).toEqual([
          host,
          200,
          version === "--http2" ? "HTTP/2" : "HTTP/1.1",
        ]);
        expect(seenBy(told)).toMatchObject({ service: "web", path: "/v1/x" });
      }
    });

  test("serves several listeners at one port by the name that is asked for, and TLS 1.2 where one says so", async () => {
    const older = ["--tls-max", "1.2"];
    const told = await ask("https://vip.example:8443/v1", ...older);
    expect([told.status, seenBy(told).headers["x-forwarded-host"]]).toEqual([200, "vip.example:8443"]);
    expect((await ask("https://shop.example:8443/v1", ...older)).status).toBe(0);
  });

  test("sends a client of HTTP/2 to another connection for the name of another listener or certificate", async () => {
    const session = connectHttp2(`https://shop.example:8443`, {
      createConnection: () =>
        connectTls({
          ...{ host: edge, port: 8443, servername: "shop.example", ALPNProtocols: ["h2"] },
          ca: authority.rootPem,
        }),
    });
    const status = async (host: string): Promise<number> =>
      await new Promise((done, failed) => {
        const stream = session.request({ ":authority": `${host}:8443`, ":path": "/v1" });
        stream.on("response", (fields) => done(Number(fields[":status"]))).on("error", failed);
        stream.resume().end();
      });
    expect(await status("shop.example")).toBe(200);
    expect(await status("vip.example")).toBe(421);
    expect(await status("a.shop.example")).toBe(421);
    expect(await status("shop.example")).toBe(200);
    session.destroy();
  });

  test("speaks HTTP/2 in clear text with who knows that it does", async () => {
    const told = await ask("http://shop.example:8000/v1", "--http2-prior-knowledge");
    expect([told.status, told.version]).toEqual([200, "HTTP/2"]);
  });

  test("tells the app where a client comes from, and believes nothing that clients say of it themselves", async () => {
    const lies = [
      "x-forwarded-for: 1.2.3.4",
      "x-real-ip: 1.2.3.4",
      "x-heddle-caller: root",
      "x-heddle-client: 10.0.0.1:1",
      "x-request-id: mine",
    ];
    const told = await ask("https://shop.example:8443/v1", ...lies.flatMap((lie) => ["-H", lie]));
    const { headers } = seenBy(told);
    expect(headers).toMatchObject({
      "x-forwarded-for": "127.0.0.1",
      "x-forwarded-proto": "https",
      "x-forwarded-host": "shop.example:8443",
      "x-heddle-caller": "edge.default",
    });
    expect(headers).not.toHaveProperty("x-real-ip");
    expect(headers).not.toHaveProperty("x-heddle-client");
    expect(headers["x-request-id"]).not.toBe("mine");
  });

  test("routes by host and listener, and leads to nothing else", async () => {
    expect((await ask("http://plain.example:8000/v1")).status).toBe(200);
    expect((await ask("https://plain.example:8443/v1", "-k")).status).toBe(404);
    expect((await ask("http://elsewhere.example:8000/v1")).status).toBe(404);
    expect((await ask("http://web.mesh:8000/v1")).status).toBe(404);
    expect((await ask("http://shop.example:8000/nothing")).status).toBe(404);
    const old = await ask("https://shop.example:8443/old/x?y");
    expect([old.status, old.headers.get("location")]).toEqual([302, "https://shop.example:8443/v1/x?y"]);
  });

  test("is no proxy for anybody: neither by a whole target nor by CONNECT", async () => {
    const raw = async (text: string): Promise<string> =>
      await new Promise((done, failed) => {
        let all = "";
        const socket = connect(8000, edge, () => socket.write(text));
        socket.on("data", (chunk) => {
          all += String(chunk);
          socket.destroy();
        });
        socket.on("close", () => done(all)).on("error", failed);
      });
    expect(await raw("GET http://web.mesh/v1 HTTP/1.1\r\nhost: shop.example\r\n\r\n")).toStartWith(
      "HTTP/1.1 404",
    );
    expect(await raw("CONNECT db.mesh:5432 HTTP/1.1\r\nhost: db.mesh:5432\r\n\r\n")).toStartWith(
      "HTTP/1.1 405",
    );
  });

  test("says nothing of what is inside to whom it refuses", async () => {
    const told = await ask("http://plain.example:8000/secret");
    expect(told.status).toBe(403);
    expect([...told.headers.keys()].filter((name) => name.startsWith("x-heddle"))).toEqual([]);
    expect(told.body).not.toMatch(/web|vm-|rule|127\./);
  });

  test("lets rules name networks of its clients", async () => {
    expect((await ask("http://plain.example:8000/put", "-X", "PUT")).status).toBe(200);
  });

  test("sends clients of HTTP to HTTPS", async () => {
    const told = await ask("http://shop.example:8001/v1/x?y=1");
    expect([told.status, told.headers.get("location")]).toEqual([308, "https://shop.example:8443/v1/x?y=1"]);
  });

  test("believes a load balancer that says whose a connection is, where its document says so", async () => {
    const forwardedFor = async (socket: Socket): Promise<string> =>
      await new Promise((done, failed) => {
        let all = "";
        socket.on("data", (chunk) => {
          all += String(chunk);
          const found = /"x-forwarded-for":"([^"]*)"/.exec(all)?.[1];
          if (found === undefined) return;
          done(found);
          socket.destroy();
        });
        socket.on("error", failed).on("close", () => failed(new Error(`closed after ${all}`)));
        socket.write("GET /v1 HTTP/1.1\r\nhost: shop.example\r\n\r\n");
      });
    const header = "PROXY TCP4 192.0.2.7 192.0.2.1 4000 443\r\n";
    const plain = connect(8005, edge);
    plain.write(header);
    expect(await forwardedFor(plain)).toBe("192.0.2.7");
    const below = connect(8445, edge);
    below.write(header);
    const above = connectTls({ socket: below, servername: "shop.example", ca: authority.rootPem });
    await new Promise((done) => above.once("secureConnect", done));
    expect(await forwardedFor(above)).toBe("192.0.2.7");
    expect((await ask("http://shop.example:8005/v1")).status).toBe(0);
    const told = "edge:balanced: refused a connection without a proper PROXY header";
    await waitFor("it is told", () => (dev.output().includes(told) ? true : null), { program: dev });
  });

  test("tells a load balancer that it takes requests", async () => {
    expect((await ask("http://anything:8000/-/ready")).status).toBe(200);
  });

  test("passes TLS on without opening it, by the name that is asked for", async () => {
    const told = await ask("https://vault.example:8444/");
    expect([told.status, told.body]).toEqual([200, "the vault"]);
    expect((await ask("https://other.example:8444/", "-k")).status).toBe(0);
  });

  const greeting = async (port: number): Promise<string> =>
    await new Promise((done) => {
      let all = "";
      const socket = connect(port, edge);
      socket.on("data", (chunk) => {
        all += String(chunk);
        socket.end();
      });
      socket.on("close", () => done(all)).on("error", () => {});
    });

  test("passes TCP on where rules let the client's network in", async () => {
    expect(await greeting(8002)).toBe("db v1\n");
    expect(await greeting(8003)).toBe("");
  });

  test("takes no more connections than its document says", async () => {
    const held = [0, 1].map(() => connect(8004, edge));
    await Promise.all(held.map((socket) => new Promise((done) => socket.once("connect", done))));
    const over = async () => (await ask("http://shop.example:8004/v1", "--max-time", "5")).status;
    await waitFor("the third is refused", async () => ((await over()) === 0 ? true : null), { program: dev });
    for (const socket of held) socket.destroy();
    await waitFor("there is room again", async () => ((await over()) === 200 ? true : null), {
      program: dev,
    });
  });

  test("shows a replaced certificate to whoever comes then, and cuts nobody", async () => {
    const serialNow = async (): Promise<string> =>
      await new Promise((done, failed) => {
        const socket = connectTls(
          { host: edge, port: 8443, servername: "shop.example", rejectUnauthorized: false },
          () => {
            done(socket.getPeerCertificate().serialNumber);
            socket.destroy();
          },
        );
        socket.on("error", failed);
      });
    const before = await serialNow();
    const open = connectTls({
      host: edge,
      port: 8443,
      servername: "shop.example",
      rejectUnauthorized: false,
    });
    await new Promise((done) => open.once("secureConnect", done));
    await writeCertificate("shop", ["shop.example"]);
    await waitFor("the new one is shown", async () => ((await serialNow()) === before ? null : true), {
      program: dev,
    });
    const answer = new Promise<string>((done) => open.once("data", (chunk) => done(String(chunk))));
    open.write("GET /v1 HTTP/1.1\r\nhost: shop.example\r\n\r\n");
    expect(await answer).toStartWith("HTTP/1.1 200");
    open.destroy();
    // What does not belong together is not shown.
    writeFileSync(`${folder}/shop.key`, "nothing");
    const good = await serialNow();
    await waitFor("it is told", () => (dev.output().includes("cannot use") ? true : null), { program: dev });
    expect(await serialNow()).toBe(good);
  });
});
