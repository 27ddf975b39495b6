/** Services outside of the mesh through the compiled binary: called by name, by TLS that is verified, under rules, and as strangers. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { binaryMissing } from "../../compile/repository.ts";
import { addressOf } from "../support/addresses.ts";
import { makeTestAuthority } from "../support/certificates.ts";
import { heddleRunning } from "../support/command.ts";
import { waitFor, type Program } from "../support/processes.ts";
import { testMs } from "../support/patience.ts";

setDefaultTimeout(testMs);

const [machine, away] = [addressOf(95), addressOf(96)];

describe.skipIf(binaryMissing)("an external service", () => {
  const folder = mkdtempSync(`${tmpdir()}/heddle-external-test-`);
  const servers: ReturnType<typeof Bun.serve>[] = [];
  let dev: Program;

  /** What it was asked, as JSON. */
  const tell = (request: Request): Response =>
    Response.json({ url: request.url, headers: Object.fromEntries(request.headers) });

  beforeAll(async () => {
    const authority = await makeTestAuthority();
    const { chainPem: cert, keyPem: key } = await authority.issue({
      dns: ["pay.example"],
      usages: ["server"],
    });
    servers.push(
      Bun.serve({ hostname: away, port: 8543, tls: { cert, key }, fetch: tell }),
      Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: tell }),
    );
    const ca = JSON.stringify(authority.rootPem);
    const at = `endpoints: ["${away}:8543"]`;
    const text = `
{kind: Service, name: caller, port: 80, protocol: http}
---
{kind: External, name: pay, port: 80, protocol: http, ${at}, host: pay.example, tls: {serverName: pay.example, ca: ${ca}}}
---
{kind: External, name: wrong, port: 80, protocol: http, ${at}, tls: {serverName: other.example, ca: ${ca}}}
---
{kind: External, name: untrusted, port: 80, protocol: http, ${at}, tls: {serverName: pay.example}}
---
{kind: External, name: closed, port: 80, protocol: http, ${at}, host: pay.example, tls: {serverName: pay.example, ca: ${ca}}}
---
{kind: External, name: opaque, port: 443, protocol: tcp, ${at}, tls: {serverName: pay.example, ca: ${ca}}}
---
{kind: External, name: named, port: 80, protocol: http, endpoints: ["localhost:${servers[1]?.port}"]}
---
{kind: Access, name: pay, service: pay, allow: [{from: caller, methods: [GET]}]}
---
{kind: Access, name: closed, service: closed, allow: [{from: "spiffe://dev.mesh/ns/default/sa/nobody"}]}
---
{kind: HTTPRoute, name: pay, service: pay, rules: [{match: {path: /v1}, rewrite: {prefix: /api}}]}
`;
    const mesh = mkdtempSync(`${folder}/mesh-`);
    writeFileSync(`${mesh}/mesh.yaml`, text);
    const services = [
      {
        ...{ service: "caller", host: machine, port: 8080, httpPort: 7480 },
        upstreams: [{ service: "opaque", bind: `${machine}:9001` }],
      },
    ];
    writeFileSync(
      `${mesh}/machine.yaml`,
      JSON.stringify({ kind: "Machine", name: "vm-1", address: machine, services }),
    );
    dev = heddleRunning(["dev", mesh], `${folder}/dev.log`);
    await waitFor("it answers", async () => ((await ask("pay")).status === 200 ? true : null), {
      program: dev,
      everyMs: 100,
    });
  }, testMs);
  afterAll(async () => {
    for (const server of servers) server.stop(true);
    await dev?.stop();
    rmSync(folder, { recursive: true });
  });

  interface Told {
    readonly status: number;
    readonly error: string;
    readonly url: string;
    readonly headers: Readonly<Record<string, string>>;
  }

  async function ask(service: string, method = "GET"): Promise<Told> {
    const answer = await fetch(`http://${machine}:7480/v1/x`, {
      method,
      headers: { host: `${service}.mesh` },
    }).catch(() => null);
    if (answer === null) return { status: 0, error: "", url: "", headers: {} };
    const { status, headers } = answer;
    const seen = status === 200 ? ((await answer.json()) as Pick<Told, "url" | "headers">) : {};
    return { status, error: headers.get("x-heddle-error") ?? "", url: "", headers: {}, ...seen };
  }

  test("is reached by TLS, asked for by its own name, by its routes, and not told who calls", async () => {
    const { url, headers } = await ask("pay");
    expect(url).toBe("https://pay.example/api/x");
    expect(headers["host"]).toBe("pay.example");
    expect(Object.keys(headers).filter((name) => name.startsWith("x-heddle"))).toEqual([]);
  });

  test("gets nothing where its certificate names another, or is of an authority that nobody trusts", async () => {
    expect(await ask("wrong")).toMatchObject({
      status: 502,
      error: expect.stringContaining("ID/") as string,
    });
    expect((await ask("untrusted")).error).toStartWith("ID/");
  });

  test("is called by whom its rules let, with what they let", async () => {
    expect((await ask("pay", "POST")).status).toBe(403);
    expect((await ask("closed")).error).toStartWith("AD/");
  });

  test("is found by a name of DNS", async () => {
    await waitFor("it was looked up", async () => ((await ask("named")).status === 200 ? true : null), {
      program: dev,
    });
  });

  test("gets opaque connections inside of TLS", async () => {
    const answer = await new Promise<string>((done, failed) => {
      let all = "";
      const socket = connect(9001, machine, () =>
        socket.write("GET /raw HTTP/1.1\r\nhost: pay.example\r\nconnection: close\r\n\r\n"),
      );
      socket.on("data", (chunk) => void (all += String(chunk)));
      socket.on("close", () => done(all)).on("error", failed);
    });
    expect(answer).toStartWith("HTTP/1.1 200");
  });
});
