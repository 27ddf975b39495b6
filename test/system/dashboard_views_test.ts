/** The pages of the dashboard with a mesh of 300 services, and with names that mean harm, in a real browser. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { PageDoor } from "../../src/admin/page_door.ts";
import { dashboardPaths } from "../../src/api/dashboard_messages.ts";
import { controllerPaths } from "../../src/api/messages.ts";
import { dashboardAssets } from "../../src/app/dashboard_assets.ts";
import { servePlain } from "../../src/app/plain_server.ts";
import { createRuntime } from "../../runtime/bun/runtime.ts";
import { Browser, chromiumMissing } from "../support/browser.ts";
import { enter, expectSound, goTo, screens } from "../support/dashboard_pages.ts";
import { generatedMesh, type GeneratedMesh } from "../support/generated_views.ts";
import { testMs } from "../support/patience.ts";

const seed = 30;
/** What a name, a path or a text of an app may hold, as far as anything lets it through. */
const spice = `<img src=x onerror="alert(1)"><script>alert(2)</script>"'\`&amp;\u001b[31m\u202e{{7*7}}`;

describe.skipIf(chromiumMissing)(`the pages of a generated mesh (needs chromium; seed ${seed})`, () => {
  let browser: Browser;
  const runtime = createRuntime();
  const servers: { close(deadlineMs: number): Promise<void> }[] = [];
  beforeAll(async () => {
    browser = await Browser.start();
  }, testMs);
  afterAll(async () => {
    await browser?.close();
    await Promise.all(servers.map((server) => server.close(0)));
  }, testMs);

  /** Serves it as a controller would; returns a link each time it is asked. */
  const serve = (
    generated: GeneratedMesh,
    tapped: unknown = null,
  ): { origin: string; link: () => string } => {
    const door = new PageDoor<null>({
      ...runtime,
      assets: dashboardAssets,
      forward: (request) => answer(request, generated, tapped),
    });
    const server = servePlain(runtime, { host: "127.0.0.1", port: 0 }, (request) => door.handle(request));
    servers.push(server);
    const origin = `http://127.0.0.1:${server.port}`;
    return { origin, link: () => `${origin}/#code=${door.code(null)}` };
  };

  test(
    "300 services can be read: at first sight, near one, and as a list",
    async () => {
      const generated = generatedMesh({ services: 300, machines: 40, seed });
      const { origin, link } = serve(generated);
      for (const screen of Object.values(screens)) {
        const page = await enter(browser, link(), screen);
        await goTo(page, "#/?look=graph", ".graph .node");
        expect(await page.value<number>("document.querySelectorAll('.graph .node').length")).toBe(300);
        expect(await overlapping(page)).toBe(0);
        expect(await page.value<number>("document.querySelectorAll('.graph .label').length")).toBeGreaterThan(
          8,
        );
        await expectSound(page, origin);
        const { key } = generated.mesh.services[40] ?? { key: "" };
        await goTo(page, `#/?look=graph&focus=${key}`, ".focus-bar");
        expect(await page.value<number>("document.querySelectorAll('.graph .node').length")).toBeLessThan(60);
        await goTo(page, "#/?look=services", "td .name");
        await goTo(page, `#/services/${key}`, ".charts canvas");
        await goTo(page, "#/machines", "td .name");
        await expectSound(page, origin);
      }
    },
    testMs,
  );

  test(
    "names, paths and texts that mean harm are text on every page, at any length",
    async () => {
      const long = `${spice}${"<b>long</b>".repeat(Math.ceil(65_536 / 11))}`;
      for (const harm of [spice, long]) {
        const generated = generatedMesh({ services: harm === long ? 3 : 8, machines: 3, seed, spice: harm });
        const { origin, link } = serve(generated, {
          ...tapLine,
          path: `/${harm}`,
          method: harm,
          requestId: "id-1",
        });
        const [first] = generated.mesh.services;
        const page = await enter(browser, link(), { width: 390, height: 844, dark: false });
        const places = [
          ["#/?look=graph", ".graph .node"],
          ["#/?look=services", "td .name"],
          ["#/?look=edges", "td .name"],
          ["#/machines", "td .name"],
          ["#/tap", ".taps li"],
        ] as const;
        for (const [place, awaited] of places) {
          await goTo(page, place, awaited);
          expect(await made(page)).toEqual([]);
          await expectSound(page, origin);
        }
        if (harm === long) continue;
        await goTo(page, `#/services/${encodeURIComponent(first?.key ?? "")}`, ".charts canvas");
        expect(await page.text()).toContain('<img src=x onerror="alert(1)">');
        expect(await made(page)).toEqual([]);
        await expectSound(page, origin);
      }
    },
    testMs,
  );

  /** Elements that no page of ours makes. */
  const made = (page: Awaited<ReturnType<typeof enter>>): Promise<string[]> =>
    page.value(
      "[...document.body.querySelectorAll('img, script, b, iframe, object, embed')].map((each) => each.outerHTML)",
    );

  /** Pairs of names in the graph that stand over one another. */
  const overlapping = (page: Awaited<ReturnType<typeof enter>>): Promise<number> =>
    page.value(`(() => {
      const boxes = [...document.querySelectorAll('.graph .label')].map((each) => each.getBoundingClientRect());
      return boxes.filter((a, at) => boxes.some((b, other) => other > at && a.left < b.right - 2 && b.left < a.right - 2 && a.top < b.bottom - 4 && b.top < a.bottom - 4)).length;
    })()`);
});

const tapLine = {
  ...{ direction: "outbound", kind: "http", service: "orders.default", source: "web.default", tls: true },
  ...{
    protocol: "HTTP/1.1",
    grpc: "",
    route: "",
    status: 500,
    outcome: null,
    firstByteMs: 1,
    bytesIn: 0,
    bytesOut: 9,
  },
  ...{ endpoint: "vm-1/orders.default/80", atMs: 0, durationMs: 3, attempts: 1 },
};

function answer(request: Request, generated: GeneratedMesh, tapped: unknown): Response {
  const { pathname } = new URL(request.url);
  if (pathname === dashboardPaths.mesh) return Response.json(generated.mesh);
  if (pathname === dashboardPaths.machines) return Response.json(generated.machines);
  if (pathname === controllerPaths.ask)
    return new Response(`${JSON.stringify({ kind: "line", machine: "vm-1", line: tapped })}\n`);
  const view = generated.service(decodeURIComponent(pathname.slice(dashboardPaths.service.length - 4)));
  return view === null
    ? Response.json({ error: "There is no such service" }, { status: 404 })
    : Response.json(view);
}
