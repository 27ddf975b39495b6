/** Policies of connections and of events of streams, in a whole mesh of dist/heddle. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { binaryMissing } from "../../compile/repository.ts";
import { callByName, callUntil } from "../support/http_calls.ts";
import { startMesh, type Mesh } from "../support/mesh.ts";
import { testMs } from "../support/patience.ts";
import { waitFor } from "../support/processes.ts";
import { talk } from "../support/tcp_calls.ts";

const dbPort = 15_432;
const appPort = 8_300;

const documents = `
{kind: Service, name: frontend, port: 80, protocol: http}
---
{kind: Service, name: db, port: 5432, protocol: tcp, policies: [{use: connection-limit, with: {limit: 1}, side: server}]}
---
{kind: Service, name: tokens, port: 80, protocol: http, policies: [{use: redact, with: {word: secret}}, {use: pii-redact, with: {find: [email]}}, {use: sums, side: server}]}
`;

/** Takes a word out of the events of answers, and drops those that say so. */
const redact = `import { definePolicy } from "heddle/policy";
import * as v from "valibot";
export default definePolicy({
  api: 1, name: "redact", version: "1.0.0", options: v.object({ word: v.string() }), onError: "closed",
  onEvent(event, context) {
    if (event.event === "debug") return null;
    const { word } = context.options;
    context.observe("letters", event.data.length);
    return event.data.includes(word) ? { ...event, data: event.data.replaceAll(word, "***") } : undefined;
  },
});
`;

/** Sees the body of a request where its service runs, and says in the body of the answer what it saw. */
const sums = `import { definePolicy, next, pass } from "heddle/policy";
import * as v from "valibot";
const list = v.array(v.unknown());
export default definePolicy({
  api: 1, name: "sums", version: "1.0.0", options: v.object({}), onError: "closed",
  uses: { requestJson: true, responseJson: true },
  onRequest(request, context) {
    context.scratch.set("seen", request.json);
    return next();
  },
  onResponse(response, context) {
    const heard = v.safeParse(list, response.json);
    if (!heard.success) return pass();
    return pass({ status: 201, json: [...heard.output, context.scratch.get("seen")] });
  },
});
`;

const events =
  "id: 1\ndata: the secret is\ndata: secret\n\nevent: debug\ndata: x\n\n: kept\n\ndata: [DONE]\r\n\r\n";
const left = "id: 1\ndata: the *** is\ndata: ***\n\n: kept\n\ndata: [DONE]\r\n\r\n";

/** Streams its events in parts of five bytes. */
function serveEvents(hostname: string) {
  return Bun.serve({
    hostname,
    port: appPort,
    fetch: async (request) => {
      if (request.method === "POST") return Response.json([await request.json()]);
      const parts = events.match(/[^]{1,5}/g) ?? [];
      const body = new ReadableStream({
        async pull(controller) {
          const part = parts.shift();
          if (part === undefined) return controller.close();
          controller.enqueue(new TextEncoder().encode(part));
          await new Promise((resolve) => setImmediate(resolve));
        },
      });
      return new Response(body, { headers: { "content-type": "text/event-stream" } });
    },
  });
}

describe.skipIf(binaryMissing)("in a mesh", () => {
  let mesh: Mesh;
  let app: ReturnType<typeof serveEvents>;

  beforeAll(async () => {
    mesh = await startMesh({
      documents,
      policies: { "redact.ts": redact, "sums.ts": sums },
      machines: [
        {
          name: "vm-a",
          services: [{ service: "frontend", app: "none", calls: { db: dbPort, tokens: "by-name" } }],
        },
        {
          name: "vm-b",
          services: [
            { service: "db", app: "tcp" },
            { service: "tokens", app: "none", port: appPort },
          ],
        },
      ],
    });
    app = serveEvents(mesh.machine("vm-b").address);
    await callUntil(
      "the app is called",
      () => callByName(mesh.machine("vm-a"), "frontend", "tokens"),
      ({ status }) => status === 200,
    );
  }, testMs);
  afterAll(async () => {
    await mesh?.stop();
    await app?.stop(true);
  }, testMs);

  test("a policy sees the events of a stream whole, however they were split, and takes words out of them", async () => {
    const answer = await callByName(mesh.machine("vm-a"), "frontend", "tokens");
    expect([answer.status, answer.text]).toEqual([200, left]);
  });

  test("bodies of requests and answers pass policies of both sides, which see what those before them wrote", async () => {
    const body = JSON.stringify({ mail: "ada@example.org" });
    const written = { method: "POST", body, headers: { "content-type": "application/json" } };
    const { status, text } = await callByName(mesh.machine("vm-a"), "frontend", "tokens", written);
    const left = { mail: "[email]" };
    expect([status, JSON.parse(text)]).toEqual([201, [left, left]]);
  });

  test("a policy at the server's side lets in so many connections, and the next when one has ended", async () => {
    const { address } = mesh.machine("vm-a");
    const first = connect(dbPort, address);
    await new Promise<void>((resolve, reject) => {
      first.once("data", () => resolve()).once("error", reject);
      first.write("hello");
    });
    expect(await talk(address, dbPort, "hello")).toBe("");
    first.destroy();
    await waitFor("there is room again", async () => {
      const said = await talk(address, dbPort, "hello");
      return said === "" ? null : said;
    });
  });
});
