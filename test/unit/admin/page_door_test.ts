/** Who gets through the door of the dashboard, and who does not. */
import { describe, expect, test } from "bun:test";
import { PageDoor } from "../../../src/admin/page_door.ts";
import { limits } from "../../../src/model/limits.ts";
import { ManualClock } from "../../support/clock.ts";

class Scene {
  readonly clock = new ManualClock();
  /** What reached the controller, and for whom. */
  readonly forwarded: string[] = [];
  #count = 0;
  readonly door = new PageDoor<string>({
    clock: this.clock,
    random: { bytes: (count) => new Uint8Array(count).fill(++this.#count) },
    assets: { "/": { type: "text/html; charset=utf-8", text: "<p>the page</p>" } },
    forward: async (request, who) => {
      this.forwarded.push(
        `${who} ${request.method} ${new URL(request.url).pathname} ${await request.text()}`.trim(),
      );
      return Response.json({ ok: true });
    },
  });

  ask(
    path: string,
    {
      method = "GET",
      headers = {},
      body,
    }: { method?: string; headers?: Record<string, string>; body?: string } = {},
  ): Promise<Response> {
    const all = { host: "127.0.0.1:9467", ...headers };
    return this.door.handle(
      new Request(`http://127.0.0.1:9467${path}`, {
        method,
        headers: all,
        ...(body === undefined ? {} : { body }),
      }),
    );
  }

  enter(code: string): Promise<Response> {
    return this.ask("/api/session", { method: "POST", body: JSON.stringify({ code }) });
  }

  enterFrom(origin: string): Promise<Response> {
    const body = JSON.stringify({ code: this.door.code("ann") });
    return this.ask("/api/session", { method: "POST", headers: { origin }, body });
  }

  /** Fields of whoever came in. */
  async inside(who = "ann"): Promise<Record<string, string>> {
    const { token } = (await (await this.enter(this.door.code(who))).json()) as { token: string };
    return { authorization: `Bearer ${token}` };
  }
}

describe("the door of the dashboard", () => {
  test("lets a browser in by a code that works once, and asks in the name of whom it is for", async () => {
    const scene = new Scene();
    const code = scene.door.code("ann");
    const answer = await scene.enter(code);
    expect(answer.status).toBe(200);
    const { token } = (await answer.json()) as { token: string };
    expect((await scene.enter(code)).status).toBe(401);
    const headers = { authorization: `Bearer ${token}` };
    expect((await scene.ask("/api/mesh", { headers })).status).toBe(200);
    await scene.ask("/api/services/orders.default", { headers });
    await scene.ask("/api/ask", { method: "POST", headers, body: '{"question":1}' });
    expect(scene.forwarded).toEqual([
      "ann GET /v1/dashboard/mesh",
      "ann GET /v1/dashboard/services/orders.default",
      'ann POST /v1/ask {"question":1}',
    ]);
  });

  test("is shut for who has no token, a wrong one, one that is over, and a code as a token", async () => {
    const scene = new Scene();
    const headers = await scene.inside();
    for (const wrong of [
      {},
      { authorization: "Bearer AAAAAAAAAAAAAAAAAAAAAA" },
      { authorization: `Bearer ${scene.door.code("ann")}` },
      { cookie: headers["authorization"] ?? "" },
    ])
      expect((await scene.ask("/api/mesh", { headers: wrong as Record<string, string> })).status).toBe(401);
    await scene.clock.advance(limits.dashboardSessionMs);
    expect((await scene.ask("/api/mesh", { headers })).status).toBe(401);
    expect(scene.forwarded).toEqual([]);
  });

  test("forgets a code after a while", async () => {
    const scene = new Scene();
    const code = scene.door.code("ann");
    await scene.clock.advance(limits.dashboardCodeMs);
    expect((await scene.enter(code)).status).toBe(401);
  });

  test("answers by loopback names alone, whatever the token", async () => {
    const scene = new Scene();
    const headers = await scene.inside();
    for (const host of [
      "evil.example",
      "evil.example:9467",
      "127.0.0.1.evil.example",
      "10.0.0.1:9467",
      "localhost.evil.example",
      "",
      "[::2]:9467",
      "127.0.0.1:9467:1",
    ]) {
      expect([host, (await scene.ask("/api/mesh", { headers: { ...headers, host } })).status]).toEqual([
        host,
        403,
      ]);
      expect([host, (await scene.ask("/", { headers: { host } })).status]).toEqual([host, 403]);
    }
    for (const host of ["localhost:9467", "LOCALHOST", "127.77.0.1:9467", "[::1]:9467"])
      expect([host, (await scene.ask("/api/mesh", { headers: { ...headers, host } })).status]).toEqual([
        host,
        200,
      ]);
  });

  test("answers no page of another site, even one that has the token", async () => {
    const scene = new Scene();
    const headers = await scene.inside();
    const wrong: Record<string, string>[] = [
      { origin: "http://evil.example" },
      { origin: "null" },
      { origin: "http://127.0.0.1:8080" },
      { origin: "https://127.0.0.1:9467" },
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-site" },
      { "sec-fetch-site": "none" },
    ];
    for (const one of wrong)
      expect([one, (await scene.ask("/api/mesh", { headers: { ...headers, ...one } })).status]).toEqual([
        one,
        403,
      ]);
    expect((await scene.enterFrom("http://evil.example")).status).toBe(403);
    const own = { origin: "http://127.0.0.1:9467", "sec-fetch-site": "same-origin" };
    expect((await scene.ask("/api/mesh", { headers: { ...headers, ...own } })).status).toBe(200);
  });

  test("leads to nothing but what the pages show", async () => {
    const scene = new Scene();
    const headers = await scene.inside();
    for (const path of [
      "/api/documents",
      "/v1/documents",
      "/api/services/",
      "/api/services/a/b",
      "/api/services/..%2f..%2fdocuments",
      "/api/session/x",
      "/api",
    ])
      expect([
        path,
        (await scene.ask(path, { headers })).ok && !scene.forwarded.at(-1)?.includes("%2f"),
      ]).toEqual([path, false]);
    for (const method of ["POST", "PUT", "DELETE"])
      expect((await scene.ask("/api/mesh", { method, headers })).ok).toBe(false);
    expect(scene.forwarded.filter((line) => !line.includes("/v1/dashboard/services/"))).toEqual([]);
  });

  test("refuses a question that is too large, or no question", async () => {
    const scene = new Scene();
    const headers = await scene.inside();
    const large = JSON.stringify({ question: "x".repeat(limits.dashboardBodyBytesMax) });
    expect((await scene.ask("/api/ask", { method: "POST", headers, body: large })).status).toBe(413);
    for (const body of ["", "null", "{", "1"])
      expect((await scene.ask("/api/ask", { method: "POST", headers, body })).status).toBe(400);
  });

  test("holds so many sessions and codes at most: the oldest ends", async () => {
    const scene = new Scene();
    const first = await scene.inside();
    const last: Record<string, string>[] = [];
    for (let count = 0; count < limits.dashboardSessionsMax; count++) last.push(await scene.inside());
    expect((await scene.ask("/api/mesh", { headers: first })).status).toBe(401);
    expect((await scene.ask("/api/mesh", { headers: last.at(-1) ?? {} })).status).toBe(200);
  });

  test("says with each answer what a browser may do with it", async () => {
    const scene = new Scene();
    for (const answer of [
      await scene.ask("/"),
      await scene.ask("/api/mesh"),
      await scene.ask("/", { headers: { host: "evil.example" } }),
    ]) {
      const policy = answer.headers.get("content-security-policy") ?? "";
      expect(policy).toContain("default-src 'none'");
      expect(policy).not.toContain("unsafe");
      expect(policy).toContain("require-trusted-types-for 'script'");
      expect(policy).toContain("frame-ancestors 'none'");
      expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
      expect(answer.headers.get("cross-origin-resource-policy")).toBe("same-origin");
      expect(answer.headers.get("cache-control")).toBe("no-store");
      expect(answer.headers.get("set-cookie")).toBeNull();
    }
  });
});
