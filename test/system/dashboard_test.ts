/** The dashboard of a mesh of three machines: who gets to it and who does not, and its pages in a real browser. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { binaryMissing, binaryPath } from "../../compile/repository.ts";
import type { MachinesView, MeshView, ServiceView } from "../../src/api/dashboard_messages.ts";
import { ports } from "../../src/model/ports.ts";
import { Browser, chromiumMissing, type BrowserPage } from "../support/browser.ts";
import { enter, expectSound, goTo, screens } from "../support/dashboard_pages.ts";
import { callByName } from "../support/http_calls.ts";
import { startMesh, type Mesh } from "../support/mesh.ts";
import { hangMs, testMs } from "../support/patience.ts";
import { plainEnvironment, startProgram, waitFor } from "../support/processes.ts";
import { SteadyLoad } from "../support/steady_load.ts";

const documents = `
{kind: Service, name: web, port: 80, protocol: http}
---
{kind: Service, name: orders, port: 80, protocol: http, subsets: {v1: {version: v1}, v2: {version: v2}}}
---
{kind: Service, name: stock, port: 80, protocol: http}
---
{kind: HTTPRoute, name: orders, service: orders, rules: [{name: beta, match: {headers: {x-user: beta}}, split: {orders/v2: 100}}, {name: rest, split: {orders/v1: 100}}]}
---
{kind: Access, name: orders, service: orders, allow: [{from: web, methods: [GET]}]}
`;

describe.skipIf(binaryMissing)("the dashboard", () => {
  let mesh: Mesh;
  const loads: SteadyLoad[] = [];
  let origin = "";

  beforeAll(async () => {
    mesh = await startMesh({
      documents,
      machines: [
        { name: "vm-1", zone: "eu-1a", services: [{ service: "web", calls: { orders: "by-name" } }] },
        { name: "vm-2", services: [{ service: "orders", version: "v1", calls: { stock: "by-name" } }] },
        { name: "vm-3", services: [{ service: "orders", version: "v2" }, { service: "stock" }] },
      ],
    });
    for (const [machine, service, to] of [
      ["vm-1", "web", "orders"],
      ["vm-2", "orders", "stock"],
    ] as const) {
      const caller = mesh.machine(machine);
      expect((await callByName(caller, service, to)).status).toBe(200);
      const about = { host: caller.address, port: caller.httpPort(service), authority: `${to}.mesh` };
      loads.push(new SteadyLoad({ ...about, path: "/items", connections: 1, everyMs: 20 }).start());
    }
    origin = new URL(link()).origin;
  }, testMs);
  afterAll(async () => {
    await Promise.all(loads.map((load) => load.stop()));
    await mesh?.stop();
  }, testMs);

  const link = (): string =>
    (JSON.parse(mesh.heddle("dashboard", "--output", "json")) as { url: string }).url;
  const codeOf = (url: string): string => /#code=(.+)$/.exec(url)?.[1] ?? "";
  const post = (path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(origin + path, { method: "POST", body: JSON.stringify(body), headers });
  const tokenOf = async (url: string): Promise<Record<string, string>> => {
    const { token } = (await (await post("/api/session", { code: codeOf(url) })).json()) as { token: string };
    return { authorization: `Bearer ${token}` };
  };
  const told = async <View>(path: string, headers: Record<string, string>): Promise<View> =>
    (await fetch(origin + path, { headers })).json() as Promise<View>;

  test("is where the machine's loopback is, and nowhere else", () => {
    expect(origin).toMatch(new RegExp(`^http://127\\.\\d+\\.\\d+\\.1:${ports.admin + 3}$`));
    expect(mesh.heddle("dashboard")).toMatch(/^http:\/\/127\.[\d.]+:\d+\/#code=[\w-]{22}\n/);
  });

  test("tells the whole mesh, a service and the machines to who came by the link", async () => {
    const headers = await tokenOf(link());
    const view = await waitFor(
      "traffic is known",
      async () => {
        const now = await told<MeshView>("/api/mesh", headers);
        return now.edges.length >= 2 && now.edges.every(({ rate }) => rate > 0) ? now : null;
      },
      { everyMs: 200, limitMs: hangMs },
    );
    expect(view.services.map(({ key }) => key)).toEqual(["orders.default", "stock.default", "web.default"]);
    expect(view.services[0]).toMatchObject({ instances: 2, ready: 2, access: "enforced", protocol: "http" });
    const edge = view.edges.find(({ to }) => to === "orders.default");
    expect(edge).toMatchObject({ from: "web.default", success: 1, secure: 1, seenBy: "outbound" });
    const service = await told<ServiceView>("/api/services/orders.default", headers);
    expect(service.routes.map(({ name }) => name)).toEqual(["orders/beta", "orders/rest"]);
    expect(service.rules).toMatchObject([{ effect: "allow", methods: ["GET"] }]);
    expect(service.endpoints.map(({ labels }) => labels["version"])).toEqual(["v1", "v2"]);
    expect(service.certificates.map(({ machine }) => machine)).toEqual(["vm-2", "vm-3"]);
    expect(service.documents.map(({ kind }) => kind)).toEqual(["Service", "HTTPRoute", "Access"]);
    const { machines } = await told<MachinesView>("/api/machines", headers);
    const one = machines.find(({ name }) => name === "vm-1");
    expect(one).toMatchObject({ connected: true, zone: "eu-1a", instances: 1, ready: 1, error: null });
    expect(one?.wanted).toBe(one?.acknowledged ?? "");
    expect(one?.version).toMatch(/^\d+\.\d+\.\d+$/);
  });

  test("refuses who has no token, another Host, and pages of other sites", async () => {
    const headers = await tokenOf(link());
    const status = async (path: string, more: Record<string, string>): Promise<number> =>
      (await fetch(origin + path, { headers: more })).status;
    expect(await status("/api/mesh", headers)).toBe(200);
    expect(await status("/api/mesh", {})).toBe(401);
    expect(await status("/api/mesh", { authorization: "Bearer AAAAAAAAAAAAAAAAAAAAAA" })).toBe(401);
    expect(await status("/api/mesh", { ...headers, host: "rebound.example" })).toBe(403);
    expect(await status("/api/mesh", { ...headers, origin: "http://evil.example" })).toBe(403);
    expect(await status("/api/mesh", { ...headers, "sec-fetch-site": "cross-site" })).toBe(403);
    expect(await status("/", { host: "rebound.example" })).toBe(403);
    expect((await post("/api/ask", {}, {})).status).toBe(401);
    const used = link();
    await tokenOf(used);
    expect((await post("/api/session", { code: codeOf(used) })).status).toBe(401);
  });

  test("changes nothing: no other path of the control API is behind it", async () => {
    const headers = await tokenOf(link());
    for (const path of ["/v1/documents", "/api/documents", "/api/nodes", "/api/services/..%2f..%2fdocuments"])
      expect((await fetch(origin + path, { headers })).ok).toBe(false);
    expect((await post("/api/mesh", {}, headers)).ok).toBe(false);
  });

  test("is for operators, as long as they are: a session of one who was revoked is over", async () => {
    const file = `${mesh.folder}/ann.json`;
    mesh.heddle("operator", "create", "ann", "--role", "viewer", "--out", file);
    const here = startHere(file);
    const url = await waitFor("it tells its link", () => linkIn(here.output()), { program: here });
    const own = new URL(url).origin;
    const began = await fetch(`${own}/api/session`, {
      method: "POST",
      body: JSON.stringify({ code: codeOf(url) }),
    });
    const headers = { authorization: `Bearer ${((await began.json()) as { token: string }).token}` };
    expect((await fetch(`${own}/api/mesh`, { headers })).status).toBe(200);
    mesh.heddle("operator", "revoke", "ann");
    expect((await fetch(`${own}/api/mesh`, { headers })).status).toBe(403);
    await here.stop();
    const refused = startHere(file);
    await refused.exited;
    expect(refused.output()).toContain("The operator ann was revoked");
  });

  test("begins nowhere without an operator's credential", () => {
    expect(() => mesh.heddle("dashboard", "--state", `${mesh.folder}/vm-1`)).toThrow(
      "there is no credential",
    );
  });

  const startHere = (file: string) =>
    startProgram({
      name: "heddle dashboard",
      command: [binaryPath, "dashboard", "--output", "json", "--state", `${mesh.folder}/nowhere`],
      log: `${mesh.folder}/dashboard.log`,
      env: plainEnvironment({ HEDDLE_OPERATOR: file }),
    });
  const linkIn = (text: string): string | null => /"(http:[^"]+)"/.exec(text)?.[1] ?? null;

  describe.skipIf(chromiumMissing)("in a browser (needs chromium)", () => {
    let browser: Browser;
    beforeAll(async () => {
      browser = await Browser.start();
    }, testMs);
    afterAll(async () => await browser?.close(), testMs);

    const places: readonly (readonly [place: string, awaited: string])[] = [
      ["#/?look=graph", "#node-orders\\.default"],
      ["#/?look=services", "td a[href='#/services/orders.default']"],
      ["#/?look=edges", "td a[href='#/services/web.default']"],
      ["#/services/orders.default", ".charts canvas"],
      ["#/machines", "td a[href='#/machines/vm-2']"],
      ["#/machines/vm-2", ".facts"],
      ["#/tap", ".taps li"],
      ["#/why?from=web.default&to=orders.default&method=POST", ".verdict.bad"],
    ];

    for (const [name, screen] of Object.entries(screens))
      test(
        `shows each page at ${name}`,
        async () => {
          const page = await enter(browser, link(), screen);
          for (const [place, awaited] of places) {
            await goTo(page, place, awaited);
            await expectSound(page, origin);
          }
          const dark = await page.value<string>("document.documentElement.dataset.theme");
          expect(dark).toBe(screen.dark ? "dark" : "light");
        },
        testMs,
      );

    test(
      "leads from a live request to its explanation",
      async () => {
        const page = await enter(
          browser,
          link(),
          screens["1280 px, light"] ?? { width: 1280, height: 800, dark: false },
        );
        await goTo(page, "#/tap?to=orders.default", ".taps .explain");
        await page.value("document.querySelector('.taps .explain').click()");
        await page.until("it is explained", "document.querySelector('.verdict.good')");
        const text = await page.text();
        expect(text).toContain("web calls orders");
        expect(text).toContain("spiffe://mesh.test/ns/default/sa/orders");
        expect(text).toContain("orders/rest");
        await expectSound(page, origin);
      },
      testMs,
    );

    test(
      "is worked by keys alone",
      async () => {
        const page = await enter(browser, link(), { width: 1280, height: 800, dark: false });
        const focus = () =>
          page.value<string>("document.activeElement?.id || document.activeElement?.textContent || ''");
        await page.press("Tab");
        expect(await focus()).toBe("Skip to content");
        await page.press("Enter");
        expect(await focus()).toBe("content");
        await page.press("/");
        expect(await focus()).toBe("search");
        await page.type("stoc");
        await page.until("it is found", "document.querySelector('#found [aria-selected=true]')");
        await page.press("Enter");
        await page.until("its page is there", "document.querySelector('h1')?.textContent.includes('stock')");
        await page.press("g");
        await page.press("g");
        await page.until("the graph is there", "document.querySelector('.graph .node')");
        await tabTo(page, "node-");
        const first = await focus();
        await page.press("ArrowRight");
        expect(await focus()).not.toBe(first);
        const ring = await page.value<string>(
          "getComputedStyle(document.activeElement.querySelector('.box')).strokeWidth",
        );
        expect(ring).toBe("2.5px");
        await page.press("Enter");
        await page.until("its page opens", "location.hash.startsWith('#/services/')");
        await page.press("?");
        await page.until("the keys are told", "document.querySelector('dialog[open]')");
        await page.press("Escape");
        await page.until("they are gone", "!document.querySelector('dialog[open]')");
        await page.press("t");
        expect(await page.value<string>("document.documentElement.dataset.theme")).toBe("dark");
        await expectSound(page, origin);
      },
      testMs,
    );

    const tabTo = async (page: BrowserPage, id: string): Promise<void> => {
      for (let count = 0; count < 40; count++) {
        await page.press("Tab");
        if ((await page.value<string>("document.activeElement?.id ?? ''")).startsWith(id)) return;
      }
      throw new Error(`Tab does not lead to ${id}`);
    };

    test(
      "keeps the code out of the address, and lets nobody in by it again",
      async () => {
        const url = link();
        const page = await enter(browser, url, { width: 1280, height: 800, dark: false });
        expect(await page.value<string>("location.href")).not.toContain("code");
        await page.open(`${origin}/?again#/machines`);
        await page.until("it is still let in", "document.querySelector('td .name')");
        const other = await browser.page({ width: 1280, height: 800, dark: false });
        await other.open(url);
        await other.until("it is refused", "document.querySelector('.problem')");
        expect(await other.text()).toContain("This link was used already");
      },
      testMs,
    );
  });
});
