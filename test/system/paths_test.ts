/** Access by path: what an app may take for another path, told at apply, and read by the proxy as the Service says its app does. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { binaryMissing, bun, root } from "../../compile/repository.ts";
import { ports } from "../../src/model/ports.ts";
import { addressOf } from "../support/addresses.ts";
import { heddle, heddleRunning, type Said } from "../support/command.ts";
import { testMs } from "../support/patience.ts";
import { hasProgram, runProgram, startProgram, waitFor, type Program } from "../support/processes.ts";

const host = addressOf(0);

// Needs curl, which sends a path as it is told.
describe.skipIf(binaryMissing || !hasProgram("curl"))("access by path", () => {
  const folder = mkdtempSync(`${tmpdir()}/heddle-paths-`);
  const state = `${folder}/first`;
  const running: Program[] = [];

  beforeAll(async () => {
    const command = [bun, `${root}/test/support/apps.ts`, "http", host, "8080", "web", "v1"];
    running.push(startProgram({ name: "web", command, log: `${folder}/app.log` }));
    const at = [
      "--node",
      "vm-1",
      "--address",
      host,
      "--loopback",
      host,
      "--service",
      "web",
      "--port",
      "8080",
    ];
    const mesh = heddleRunning(["init", ...at], `${folder}/log`, { state });
    running.push(mesh);
    const stands = (): true | null => (/web.default is ready/.test(mesh.output()) ? true : null);
    await waitFor("the mesh stands", stands, { program: mesh });
  }, testMs);
  afterAll(async () => {
    await Promise.all(running.map((each) => each.stop()));
    rmSync(folder, { recursive: true });
  });

  function apply(traits: string): Said {
    const text = `{kind: Service, name: web, port: 80, protocol: http${traits}}\n---\n{kind: Access, name: web, service: web, deny: [{from: any, paths: [/admin/*]}], allow: [{from: any-mesh}]}\n`;
    writeFileSync(`${folder}/mesh.yaml`, text);
    return heddle(["apply", "-f", `${folder}/mesh.yaml`], { state });
  }

  /** Status, and the path that the app saw. */
  function call(path: string): string {
    const url = `http://${host}:${ports.outboundFirst}${path}`;
    const text = runProgram([
      "curl",
      "-s",
      "--path-as-is",
      "-H",
      "host: web.mesh",
      "-w",
      "\n%{http_code}",
      url,
    ]);
    const status = text.split("\n").at(-1) ?? "";
    const seen = /"path":"([^"]*)"/.exec(text)?.[1];
    return seen === undefined ? status : `${status} ${seen}`;
  }

  const becomes = (path: string, answer: string): Promise<true> =>
    waitFor(`${path} is answered ${answer}`, () => (call(path) === answer ? true : null), { everyMs: 50 });

  test("is warned of where a rule denies paths", () => {
    const said = apply("");
    expect([said.code, said.err]).toEqual([
      0,
      expect.stringMatching(
        /mesh.yaml:3:\d+: warning: deny\[0\].paths: an app may take other paths for these/,
      ),
    ]);
  });

  test(
    "lets through what the app alone takes for a denied path, unless the Service says how it reads",
    async () => {
      await becomes("/admin/x", "403");
      expect(call("//admin/x")).toBe("200 //admin/x");
      expect(call("/admin;a/x")).toBe("200 /admin;a/x");
      expect(apply(", mergeSlashes: merge, pathParameters: strip").code).toBe(0);
      await becomes("//admin/x", "403");
      expect(call("/admin;a/x")).toBe("403");
      expect(call("/b/..;/admin/x")).toBe("400");
      expect(call("/a//b;v=1?c=//;")).toBe("200 /a/b?c=//;");
      expect(apply(", mergeSlashes: refuse, pathParameters: refuse").code).toBe(0);
      await becomes("//admin/x", "400");
      expect(call("/a;v=1")).toBe("400");
      expect(call("/a/b?c=//;")).toBe("200 /a/b?c=//;");
    },
    testMs,
  );
});
