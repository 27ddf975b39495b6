/** Policies that ask services of the mesh, in a whole one: tokens whose keys a service has, and forward authentication by a service. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { generateKeyPairSync, sign } from "node:crypto";
import { binaryMissing } from "../../compile/repository.ts";
import { callByName, callUntil } from "../support/http_calls.ts";
import { startMesh, type Mesh } from "../support/mesh.ts";
import { testMs } from "../support/patience.ts";

const service = (name: string, more = ""): string =>
  `{kind: Service, name: ${name}, port: 80, protocol: http${more}}`;
const jwt = (side: string): string =>
  `{use: jwt, side: ${side}, with: {issuer: "https://id.example", audience: [orders], keys: {service: id, path: /keys}, claims: {x-user: sub}}}`;
const authz = (side: string): string =>
  `{use: ext-authz, side: ${side}, with: {service: authz, send: [x-word], copy: [x-may]}}`;

const documents = [
  ...["frontend", "id", "authz"].map((name) => service(name)),
  ...["caller", "server"].flatMap((side) => [
    service(`token-${side}`, `, policies: [${jwt(side)}]`),
    service(`asked-${side}`, `, policies: [${authz(side)}]`),
  ]),
  service("counted", ", policies: [{use: global-rate-limit, with: {limit: 5, within: 1h, by: x-tenant}}]"),
  service("lost", `, policies: [{use: ext-authz, with: {service: nowhere}}]`),
  "{kind: Access, name: authz, service: authz, allow: [{from: frontend}, {from: asked-server}]}",
].join("\n---\n");

const key = generateKeyPairSync("ec", { namedCurve: "P-256" });
const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
function tokenOf(claims: object): string {
  const data = `${part({ alg: "ES256", kid: "k" })}.${part({ iss: "https://id.example", aud: "orders", exp: 4e9, sub: "ann", ...claims })}`;
  const signature = sign("sha256", Buffer.from(data), { key: key.privateKey, dsaEncoding: "ieee-p1363" });
  return `Bearer ${data}.${signature.toString("base64url")}`;
}

/** What is asked: keys of tokens, and whether a word is good. */
const id = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch: () => Response.json({ keys: [{ ...key.publicKey.export({ format: "jwk" }), kid: "k" }] }),
});
const asked: string[] = [];
const may = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch({ headers }) {
    const word = headers.get("x-word") ?? "";
    asked.push(
      `${headers.get("x-heddle-caller")} ${headers.get("x-forwarded-method")} ${headers.get("x-forwarded-uri")} ${word}`,
    );
    return word === "please"
      ? new Response("", { headers: { "x-may": "yes" } })
      : new Response("say please", { status: 403 });
  },
});

describe.skipIf(binaryMissing)("in a mesh", () => {
  let mesh: Mesh;
  const services = ["token-caller", "token-server", "asked-caller", "asked-server", "counted", "lost"];

  beforeAll(async () => {
    const calls = Object.fromEntries(services.map((name) => [name, "by-name" as const]));
    mesh = await startMesh({
      documents,
      machines: [
        {
          name: "vm-a",
          services: [
            { service: "frontend", app: "none", calls },
            { service: "id", app: "none", host: "127.0.0.1", port: id.port as number },
          ],
        },
        {
          name: "vm-b",
          services: [
            ...services.map((name) => ({ service: name })),
            { service: "authz", app: "none", host: "127.0.0.1", port: may.port as number },
          ],
        },
      ],
    });
    for (const name of ["token-caller", "token-server"])
      await callUntil(
        `${name} is there`,
        () => call(name),
        ({ status }) => status === 401,
      );
  }, testMs);
  afterAll(async () => {
    await mesh?.stop();
    await Promise.all([id.stop(true), may.stop(true)]);
  });

  const call = (to: string, headers: Record<string, string> = {}) =>
    callByName(mesh.machine("vm-a"), "frontend", to, { headers });

  for (const side of ["caller", "server"]) {
    test(`a token passes at the ${side}'s side by the keys that a service has, and no other does`, async () => {
      const passed = await call(`token-${side}`, { authorization: tokenOf({}), "x-user": "root" });
      expect(passed.status).toBe(200);
      expect(passed.seen().headers["x-user"]).toBe("ann");
      for (const authorization of [tokenOf({ aud: "billing" }), `${tokenOf({})}x`, "Bearer x"])
        expect((await call(`token-${side}`, { authorization })).status).toBe(401);
    });

    test(`a service decides at the ${side}'s side what passes, and is asked by whoever may ask it`, async () => {
      asked.length = 0;
      const passed = await call(`asked-${side}`, { "x-word": "please", "x-may": "no" });
      expect(passed.status).toBe(200);
      expect(passed.seen().headers["x-may"]).toBe("yes");
      const refused = await call(`asked-${side}`, { "x-word": "now" });
      expect([refused.status, refused.text]).toEqual([403, "say please"]);
      const by = side === "caller" ? "frontend.default" : "asked-server.default";
      expect(asked).toEqual([`${by} GET / please`, `${by} GET / now`]);
    });
  }

  test("a counter of the whole mesh lets so many of each tenant pass", async () => {
    const statuses = async (tenant: string): Promise<number[]> => {
      const all: number[] = [];
      for (let at = 0; at < 7; at++) all.push((await call("counted", { "x-tenant": tenant })).status);
      return all;
    };
    const one = await statuses("one");
    // A part of it is kept for proxies that are new.
    expect([4, 5]).toContain(one.filter((status) => status === 200).length);
    expect(one.slice(-2)).toEqual([429, 429]);
    expect((await statuses("two"))[0]).toBe(200);
  });

  test("nothing passes where the service that is to be asked is not there", async () => {
    const lost = await call("lost");
    expect(lost.status).toBe(503);
    expect(lost.headers.get("x-heddle-error")).toContain("PE/");
  });
});
