/** The way of an author, as the README has it: from nothing to a policy that is proved on recorded traffic and stands in the mesh. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { binaryMissing } from "../../compile/repository.ts";
import { heddle, heddleRunning, type Said } from "../support/command.ts";
import { callByName } from "../support/http_calls.ts";
import { startMesh, type Mesh } from "../support/mesh.ts";
import { testMs } from "../support/patience.ts";
import { waitFor } from "../support/processes.ts";

const service = (more: string): string =>
  `{kind: Service, name: frontend, port: 80, protocol: http}\n---\n{kind: Service, name: web, port: 80, protocol: http${more}}\n`;

describe.skipIf(binaryMissing)("an author of policies", () => {
  let mesh: Mesh;
  let folder: string;
  const file = (): string => `${folder}/night-shift/policies/night_shift.ts`;
  /** As the author types it. */
  const typed = (line: string): Said => heddle(line.split(" "), { folder, state: `${mesh.folder}/control` });
  const change = (from: string, to: string): void => {
    const text = readFileSync(file(), "utf8");
    expect(text).toContain(from);
    writeFileSync(file(), text.replace(from, to));
  };
  const call = (headers: Record<string, string> = {}, path = "/v1/items") =>
    callByName(mesh.machine("vm-a"), "frontend", "web", { headers, path });

  beforeAll(async () => {
    mesh = await startMesh({
      documents: service(""),
      machines: [
        { name: "vm-a", services: [{ service: "frontend", app: "none", calls: { web: "by-name" } }] },
        { name: "vm-b", services: [{ service: "web" }] },
      ],
    });
    ({ folder } = mesh);
  }, testMs);
  afterAll(async () => await mesh?.stop());

  test(
    "begins with a folder that checks, whose tests pass, and that tells a wrong type at its place",
    () => {
      expect(typed("policy new night-shift")).toMatchObject({ code: 0 });
      expect(typed("policy check night-shift")).toMatchObject({
        code: 0,
        out: "All is well: night-shift 0.1.0\n",
      });
      const tested = typed("policy test night-shift");
      expect(tested.code).toBe(0);
      expect(tested.out).toContain(" 2 pass");
      change("context.options;", "context.option;");
      const checked = typed("policy check night-shift");
      expect(checked.code).toBe(1);
      expect(checked.err).toContain("night-shift/policies/night_shift.ts:16:40: error: TS2551: ");
      change("context.option;", "context.options;");
      const sample = typed("policy replay night-shift/recordings/night_shift.jsonl night-shift");
      expect(sample.out).toContain("1 of 3 requests would change");
    },
    testMs,
  );

  test(
    "records what passes, without secrets, and sees which requests the policy would change",
    async () => {
      const args = ["policy", "record", "web", "--out", "web.jsonl", "--count", "20"];
      const recording = heddleRunning(args, `${folder}/record.log`, {
        folder,
        state: `${mesh.folder}/control`,
      });
      await waitFor("20 requests are recorded", async () => {
        await call({ "x-night-shift": "stop", authorization: "Bearer s3cret" }, "/v1/items?api_key=s3cret");
        await call();
        return recording.output().includes("Recorded 20 requests in web.jsonl") ? true : null;
      });
      expect(readFileSync(`${folder}/web.jsonl`, "utf8")).not.toContain("s3cret");
      const replayed = typed("policy replay web.jsonl night-shift --allow 5");
      expect(replayed.out).toContain("night-shift 0.1.0: 10 of 20 requests would change");
      expect(replayed.out).toContain("answered 403: x-night-shift says stop");
      expect(replayed.code).toBe(1);
      expect(typed("policy replay web.jsonl night-shift --allow 50%").code).toBe(0);
      expect(typed("policy bench web.jsonl night-shift").out).toContain("CPU PER CALL");
    },
    testMs,
  );

  test(
    "pushes it, and documents use it",
    async () => {
      const pushed = typed("policy push night-shift");
      expect(pushed).toMatchObject({ code: 0 });
      expect(pushed.out).toContain("+ Policy night-shift created");
      mesh.apply(service(", policies: [{use: night-shift}]"));
      await waitFor("the policy answers", async () =>
        (await call({ "x-night-shift": "stop" })).status === 403 ? true : null,
      );
      expect((await call()).status).toBe(200);
    },
    testMs,
  );

  /** Until `heddle policy show` says so; a call of each kind in between. */
  const untilShown = (what: string, limitMs = testMs): Promise<string> =>
    waitFor(
      `policy show tells "${what}"`,
      async () => {
        await call({ "x-night-shift": "stop" });
        await call();
        const { out } = typed("policy show night-shift");
        return out.includes(what) ? out : null;
      },
      { limitMs },
    );

  test(
    "tries another version as a shadow: what differs is counted, and nobody obeys it",
    async () => {
      change('version: "0.1.0"', 'version: "0.2.0"');
      change(", 403)", ", 451)");
      expect(typed("policy push night-shift --shadow").out).toBe("night-shift 0.2.0 shadowed: as a shadow\n");
      const shown = await untilShown(
        "answered 403: x-night-shift says stop / answered 451: x-night-shift says stop",
      );
      expect(shown).toContain("tried: 0.2.0 as a shadow");
      expect((await call({ "x-night-shift": "stop" })).status).toBe(403);
    },
    testMs,
  );

  test(
    "rolls it out for a share of requests, and brings one back by itself that fails, after few calls",
    async () => {
      change(
        "onRequest(request, context) {",
        "onRequest(request, context) {\n    if (request.path !== '/') throw new Error('planted');",
      );
      change('version: "0.2.0"', 'version: "0.3.0"');
      expect(typed("policy push night-shift --percent 50").out).toContain(
        "0.3.0 rolled out: for 50 % of requests",
      );
      const shown = await untilShown("0.3.0 returned by heddle: ");
      const [, failed = "", calls = ""] =
        /returned by heddle: (\d+) of its (\d+) calls failed/.exec(shown) ?? [];
      expect(Number(failed)).toBe(Number(calls));
      expect(Number(calls)).toBeLessThanOrEqual(20);
      expect(shown).not.toContain("tried:");
      const asked = await Promise.all(Array.from({ length: 20 }, () => call({ "x-night-shift": "stop" })));
      expect(new Set(asked.map(({ status }) => status))).toEqual(new Set([403]));
    },
    testMs,
  );

  test(
    "rolls the mended version out, promotes it, and goes back to the one before",
    async () => {
      change("if (request.path !== '/') throw new Error('planted');", "context.log('info', 'looked at it');");
      change('version: "0.3.0"', 'version: "0.4.0"');
      expect(typed("policy push night-shift --shadow").code).toBe(0);
      expect(typed("policy rollout night-shift --percent 5").out).toContain(
        "0.4.0 rolled out: for 5 % of requests",
      );
      expect(typed("policy promote night-shift").out).toBe("night-shift 0.4.0 promoted: instead of 0.1.0\n");
      const answers = (status: number) =>
        waitFor(`it answers ${status}`, async () =>
          (await call({ "x-night-shift": "stop" })).status === status ? true : null,
        );
      await answers(451);
      const args = ["policy", "logs", "night-shift", "-f", "--count", "2"];
      const logs = heddleRunning(args, `${folder}/logs.log`, { state: `${mesh.folder}/control` });
      await waitFor("its lines are in its logs", async () => {
        await call();
        return logs.output().includes("looked at it") ? true : null;
      });
      expect(typed("policy rollback night-shift").out).toBe(
        "night-shift 0.1.0 rolled back: instead of 0.4.0\n",
      );
      await answers(403);
      expect(typed("policy list").out).toContain("0.1.0 rolled back by admin");
      expect(typed("policy disable night-shift").code).toBe(0);
      await answers(200);
      expect(typed("policy enable night-shift").code).toBe(0);
      await answers(403);
      expect(mesh.controller.output()).toMatch(
        /heddle: policy night-shift returned 0\.3\.0, bundle [0-9a-f]{12}: \d+ of its/,
      );
      const shown = typed("policy show night-shift").out;
      const bundle = /^0\.4\.0 +([0-9a-f]{8}) .*before$/m.exec(shown)?.[1] ?? "";
      expect(shown).toMatch(/^0\.3\.0 +[0-9a-f]{8} +api 1 +20\S+Z +admin +returned: \d+ of its/m);
      expect(typed(`policy rollback night-shift --to ${bundle}`).out).toBe(
        "night-shift 0.4.0 rolled back: instead of 0.1.0\n",
      );
      await answers(451);
    },
    testMs,
  );
});
