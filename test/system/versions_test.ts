/** HTTP/1.1 and HTTP/2 through the compiled binary, where client and service differ and where they do not; peers are Node's. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { binaryMissing } from "../../compile/repository.ts";
import { addressOf } from "../support/addresses.ts";
import { callByName } from "../support/http_calls.ts";
import { startMesh, type Mesh } from "../support/mesh.ts";
import { runNode, startNode } from "../support/node_program.ts";
import type { Answer, Request } from "../support/peers/calls.ts";
import type { SeenHead } from "../support/peers/server.ts";
import type { Program } from "../support/processes.ts";
import { testMs } from "../support/patience.ts";

const documents = `
{kind: Service, name: caller, port: 80, protocol: http}
---
{kind: Service, name: one, port: 80, protocol: http, interim: forward}
---
{kind: Service, name: two, port: 80, protocol: http2, interim: forward}
---
{kind: Service, name: narrow, port: 80, protocol: http2}
`;
const services = { "http/1.1": "one", h2: "two" } as const;
const versions = ["http/1.1", "h2"] as const;
const large = "l".repeat(20_000);
const text = "0123456789".repeat(10_000);
const withLength = { "content-length": String(text.length), "x-with-length": "1" };

const requests: Readonly<Record<string, Request>> = {
  get: { path: "/echo?a=b%20c&d=" },
  delete: { method: "DELETE", path: "/echo" },
  head: { method: "HEAD", path: "/cookies" },
  withLength: { method: "POST", path: "/echo", body: text, headers: withLength },
  withoutLength: { method: "PUT", path: "/echo", body: text },
  empty: { method: "POST", path: "/echo", headers: { "content-length": "0" } },
  trailers: {
    method: "POST",
    path: "/echo",
    body: text,
    trailers: { "x-sum": "7" },
    headers: { te: "trailers" },
  },
  none: { path: "/empty?status=204" },
  unchanged: { path: "/empty?status=304" },
  early: { path: "/early" },
  cookies: { path: "/cookies" },
  sentCookies: { path: "/echo", headers: { cookie: "a=1; b=2; c=3" } },
  expecting: {
    method: "POST",
    path: "/echo",
    body: text,
    headers: { expect: "100-continue", ...withLength },
  },
  large: { path: "/echo", headers: { "x-large": large } },
};

describe.skipIf(binaryMissing)("through the mesh", () => {
  let server: Program;
  let mesh: Mesh;

  beforeAll(async () => {
    const host = addressOf(80);
    server = await startNode("peers/server.ts", host, 8080);
    mesh = await startMesh({
      documents,
      machines: [
        {
          name: "vm-a",
          services: [
            { service: "caller", app: "none", calls: { one: "by-name", two: "by-name", narrow: "by-name" } },
          ],
        },
        {
          name: "vm-b",
          services: [
            { service: "one", host, port: 8080 },
            { service: "two", host, port: 8081 },
            { service: "narrow", host, port: 8082 },
          ],
        },
      ],
    });
  }, testMs);
  afterAll(async () => {
    await mesh?.stop();
    await server?.stop();
  });

  test("an app that takes one HTTP/2 request at a time on a connection is never sent more", async () => {
    const calls = Array.from({ length: 150 }, () =>
      callByName(mesh.machine("vm-a"), "caller", "narrow", { path: "/poll?ms=5", method: "POST", body: "" }),
    );
    const answers = await Promise.all(calls);
    expect(answers.filter(({ status, text }) => status !== 200 || text !== "polled")).toEqual([]);
  });

  for (const client of versions)
    for (const service of versions)
      describe(`a client of ${client} and a service of ${service}`, () => {
        const answers = new Map<string, Answer | string>();

        beforeAll(async () => {
          const { address, httpPort } = door();
          const list = JSON.stringify(Object.values(requests));
          const authority = `${services[service]}.mesh`;
          const args = [client, address, String(httpPort), authority];
          const made = await runNode<(Answer | string)[]>("peers/run_calls.ts", args, { input: list });
          for (const [at, name] of Object.keys(requests).entries()) answers.set(name, made[at] ?? "none");
        }, testMs);

        function answer(name: keyof typeof requests): Answer {
          const found = answers.get(name);
          if (found === undefined || typeof found === "string")
            throw new Error(`No answer to ${name}: ${found}`);
          return found;
        }

        function seen(name: keyof typeof requests): SeenHead {
          return JSON.parse(String(answer(name).headers["x-seen"])) as SeenHead;
        }

        test("method and target arrive as they were sent, in the version of the service", () => {
          const version = service === "h2" ? "2.0" : "1.1";
          expect(seen("get")).toMatchObject({ method: "GET", path: "/echo?a=b%20c&d=", version });
          expect(seen("delete")).toMatchObject({ method: "DELETE", version });
        });

        test("bodies cross whole, with their length where it is known", () => {
          expect(answer("withLength").body).toBe(text);
          expect(seen("withLength").length).toBe(String(text.length));
          expect(answer("withLength").headers["content-length"]).toBe(String(text.length));
          expect(answer("withoutLength").body).toBe(text);
          expect(seen("withoutLength").length).toBeNull();
          expect(answer("withoutLength").headers["content-length"]).toBeUndefined();
          expect([answer("empty").status, answer("empty").body]).toEqual([200, ""]);
        });

        test("trailers cross both ways", () => {
          expect(answer("trailers").trailers["x-sum"]).toBe("7");
          expect(answer("trailers").body).toBe(text);
        });

        test("HEAD, 204 and 304 have no body and end", () => {
          const ends = ["head", "none", "unchanged"].map((name) => [answer(name).status, answer(name).body]);
          expect(ends).toEqual([
            [200, ""],
            [204, ""],
            [304, ""],
          ]);
        });

        test("an early answer comes before the final one", () => {
          expect(answer("early").early).toEqual(["103 </style.css>; rel=preload"]);
          expect(answer("early").body).toBe("after early hints");
        });

        test("a client that expects to be asked for its body is asked once", () => {
          expect(answer("expecting").body).toBe(text);
          expect(answer("expecting").early.filter((each) => each.startsWith("100"))).toHaveLength(1);
        });

        test("cookies stay whole, one by one where they are set and in one field where they are sent", () => {
          expect(answer("cookies").headers["set-cookie"]).toEqual(["a=1; Path=/", "b=2; Path=/"]);
          expect(seen("sentCookies").cookie).toBe("a=1; b=2; c=3");
        });

        test("a field of 20 kB passes both ways", () => {
          expect(seen("large").large).toBe(large.length);
          expect(answer("large").headers["x-large"]).toBe(large);
        });
      });

  function door(): { address: string; httpPort: number } {
    const machine = mesh.machine("vm-a");
    return { address: machine.address, httpPort: machine.httpPort("caller") };
  }
});
