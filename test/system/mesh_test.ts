/** A whole mesh of three machines on the compiled binary: every way to call, routes, and who may call whom. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { binaryMissing } from "../../compile/repository.ts";
import { ports } from "../../src/model/ports.ts";
import { hasPromtool, promtoolFindings } from "../support/promtool.ts";
import { callByName, callUntil, callUrl } from "../support/http_calls.ts";
import { startMesh, type Mesh } from "../support/mesh.ts";
import { talk } from "../support/tcp_calls.ts";
import { waitFor } from "../support/processes.ts";
import { testMs } from "../support/patience.ts";

const documents = `
{kind: Service, name: frontend, port: 80, protocol: http}
---
{kind: Service, name: intruder, port: 80, protocol: http}
---
{kind: Service, name: web, port: 80, protocol: http, subsets: {v1: {version: v1}, v2: {version: v2}}}
---
kind: Service
name: inference
port: 80
protocol: http
subsets: {v1: {version: v1}, v2: {version: v2}}
---
{kind: Service, name: near, port: 80, protocol: http}
---
{kind: Service, name: vault, port: 80, protocol: http}
---
{kind: Service, name: ledger, port: 80, protocol: http}
---
{kind: Service, name: queue, port: 5672, protocol: tcp}
---
{kind: Service, name: sealed, port: 5673, protocol: tcp}
---
kind: HTTPRoute
name: web
service: web
rules:
- {match: {path: /, headers: {x-canary: "yes"}}, split: {web/v2: 1}}
- {match: {path: /}, split: {web/v1: 1}}
---
kind: HTTPRoute
name: inference
service: inference
rules:
- {match: {path: /}, split: {inference/v1: 100, inference/v2: 0}}
---
{kind: Access, name: near, service: near, mode: enforce, allow: [{from: frontend}]}
---
{kind: Access, name: vault, service: vault, mode: enforce, allow: [{from: frontend, methods: [GET], paths: [/open/*]}]}
---
{kind: Access, name: ledger, service: ledger, mode: audit, allow: [{from: intruder}]}
---
{kind: Access, name: sealed, service: sealed, mode: enforce, allow: [{from: intruder}]}
`;

const calls = {
  web: 9001,
  queue: 9002,
  sealed: 9003,
  inference: "by-name",
  near: "by-name",
  vault: "by-name",
  ledger: "by-name",
} as const;

describe.skipIf(binaryMissing)("a mesh of three machines", () => {
  let mesh: Mesh;

  beforeAll(async () => {
    mesh = await startMesh({
      documents,
      proxyFlags: ["--log-sample", "1"],
      machines: [
        {
          name: "vm-a",
          services: [
            { service: "frontend", calls },
            { service: "intruder", calls: { near: "by-name", sealed: 9004 } },
            { service: "near" },
          ],
        },
        {
          name: "vm-b",
          services: [
            { service: "web" },
            { service: "inference" },
            { service: "queue", app: "tcp" },
            { service: "sealed", app: "tcp" },
            { service: "vault" },
          ],
        },
        {
          name: "vm-c",
          services: [
            { service: "web", version: "v2" },
            { service: "inference", version: "v2" },
            { service: "ledger" },
          ],
        },
      ],
    });
  }, testMs);
  afterAll(async () => await mesh?.stop());

  const call = (to: string, options = {}) => callByName(mesh.machine("vm-a"), "frontend", to, options);

  test("answers a call by name at the caller's HTTP listener", async () => {
    const answer = await call("web", { path: "/orders/7?all=1" });
    expect([answer.status, answer.seen().service, answer.seen().path]).toEqual([
      200,
      "web",
      "/orders/7?all=1",
    ]);
  });

  test("carries method, body and headers to the app", async () => {
    const answer = await call("web", {
      method: "POST",
      body: "lots".repeat(50_000),
      headers: { "x-mine": "1" },
    });
    const seen = answer.seen();
    expect([seen.method, seen.body.length, seen.headers["x-mine"]]).toEqual(["POST", 200_000, "1"]);
  });

  test("works as http_proxy: takes a request in absolute form", async () => {
    const { address } = mesh.machine("vm-a");
    const answer = await callUrl("http://web.mesh/absolute", {
      proxy: `http://${address}:${ports.outboundFirst}`,
    });
    expect([answer.status, answer.seen().path]).toEqual([200, "/absolute"]);
  });

  test("answers at the explicit port of an upstream, whatever the Host header says", async () => {
    const answer = await callUrl(`http://${mesh.machine("vm-a").address}:9001/explicit`);
    expect([answer.status, answer.seen().service]).toEqual([200, "web"]);
  });

  test("carries opaque TCP both ways, with half-close", async () => {
    const text = "0123456789abcdef".repeat(2_000);
    expect(await talk(mesh.machine("vm-a").address, 9002, text)).toBe(`queue v1\n${text}`);
  });

  test("takes a call to a service of the same machine through its access rules", async () => {
    expect((await call("near")).seen().service).toBe("near");
    const denied = await callByName(mesh.machine("vm-a"), "intruder", "near");
    expect([denied.status, denied.text.includes("intruder")]).toEqual([403, true]);
  });

  test("denies with 403, who was denied and the request id in plain words", async () => {
    const denied = await call("vault", { path: "/closed" });
    expect(denied.status).toBe(403);
    expect(denied.text).toContain("vault");
    expect(denied.text).toContain("frontend");
    expect(denied.text).toMatch(/heddle/);
    expect((await call("vault", { path: "/open/door" })).status).toBe(200);
    expect((await call("vault", { path: "/open/door", method: "DELETE" })).status).toBe(403);
  });

  test("closes a TCP connection of a caller who may not, without a byte of the app's", async () => {
    expect(await talk(mesh.machine("vm-a").address, 9003, "let me in")).toBe("");
    expect(await talk(mesh.machine("vm-a").address, 9004, "hello")).toBe("sealed v1\nhello");
  });

  test("lets pass in audit mode, and logs what would have been denied", async () => {
    expect((await call("ledger", { path: "/audited" })).status).toBe(200);
    await callUntil(
      "the audit is in the log of the machine",
      () => call("ledger"),
      () => /"path":"\/audited".*deny/.test(mesh.machine("vm-c").proxy.output()),
    );
  });

  test("routes by a header, and all else to the other subset", async () => {
    for (let each = 0; each < 5; each++) {
      expect((await call("web")).seen().version).toBe("v1");
      expect((await call("web", { headers: { "x-canary": "yes" } })).seen().version).toBe("v2");
    }
  });

  test("says in plain words that a name is unknown", async () => {
    const answer = await call("nowhere");
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.text).toContain("nowhere");
  });

  test("shows nothing to a machine without an identity", async () => {
    const { address } = mesh.machine("vm-b");
    expect(await talk(address, ports.inbound, "GET / HTTP/1.1\r\nHost: web.mesh\r\n\r\n")).not.toMatch(
      / 200 /,
    );
    const url = `https://${address}:${ports.inbound}/`;
    const init = { tls: { rejectUnauthorized: false, serverName: "web.default.mesh" } };
    expect(await fetch(url, init).then(String, () => "refused")).toBe("refused");
  });

  test("counts what it carried", async () => {
    const answer = await callUrl(`http://${mesh.machine("vm-a").address}:${ports.admin}/metrics`);
    expect(answer.text).toMatch(/^heddle_\w*requests_total\{[^}]*web[^}]*\} [1-9]/m);
  });

  const pageOf = async (machine: string): Promise<string> =>
    (await callUrl(`http://${mesh.machine(machine).address}:${ports.admin}/metrics`)).text;

  test("shows what its proxies are in", async () => {
    // The event loop is looked at twice a second.
    const text = await waitFor("the event loop was looked at", async () => {
      const page = await pageOf("vm-a");
      return /^heddle_loop_delay_seconds_count [1-9]/m.test(page) ? page : null;
    });
    for (const sample of [
      /^heddle_tcp_connections_opened_total\{direction="outbound",service="queue\.default".*\} [1-9]/m,
      /^heddle_tcp_open\{direction="outbound",service="queue\.default".*\} 0$/m,
      /^heddle_streams_open\{direction="outbound",service="queue\.default",kind="tcp"\} 0$/m,
      /^heddle_endpoints\{service="web\.default",state="ready"\} 2$/m,
      /^heddle_retry_budget_left\{service="web\.default"\} [1-9]/m,
      /^heddle_identity_expiry_seconds\{id="spiffe:\/\/mesh\.test\/ns\/default\/sa\/frontend"\} 8\d{4}/m,
      /^heddle_identity_renewals_total\{result="failed"\} 0$/m,
      /^heddle_config_version\{version="[0-9a-f]{8}"\} 1$/m,
      /^heddle_config_age_seconds \d/m,
      /^heddle_build_info\{mode="proxy",version="\d+\.\d+\.\d+"\} 1$/m,
      /^process_cpu_seconds_total 0?\.?\d/m,
    ])
      expect(text).toMatch(sample);
  });

  test.skipIf(!hasPromtool)("has metrics that Prometheus finds nothing wrong with", async () => {
    for (const machine of ["vm-a", "vm-b"]) expect(promtoolFindings(await pageOf(machine))).toBe("");
  });

  test("refuses documents with an error, at their place, and keeps those that stand", () => {
    expect(() => mesh.apply("{kind: Service, name: web, port: 80, protcol: http}")).toThrow(
      /mesh\.yaml:1:\d+.*protocol/s,
    );
    expect(mesh.heddle("get", "Service", "web")).toContain("subsets");
  });
});
