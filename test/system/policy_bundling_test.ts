/**
 * Pushes of authors who mean harm, through the sealed compiler of dist/heddle: each is refused at its place or comes to an
 * end in its bounds, and a controller that is pushed them goes on with everything else.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { binaryMissing, binaryPath, bun, root } from "../../compile/repository.ts";
import { limits } from "../../src/model/limits.ts";
import { ports } from "../../src/model/ports.ts";
import type { PolicySource } from "../../src/policy/policy_source.ts";
import { compileSealed } from "../../src/policy/sealed_compiler.ts";
import { addressOf } from "../support/addresses.ts";
import { heddle, heddleRunning } from "../support/command.ts";
import { hostileLoads } from "../support/hostile_policies/loads.ts";
import { endlessShapes, hostileShapes } from "../support/hostile_policies/shapes.ts";
import { hostileSources } from "../support/hostile_policies/sources.ts";
import { accepts, startProgram, waitFor, type Program } from "../support/processes.ts";
import { runtime } from "../support/runtime_under_test.ts";
import { SteadyLoad } from "../support/steady_load.ts";
import { testMs } from "../support/patience.ts";

const sound = `import { definePolicy, next } from "heddle/policy";
import * as v from "valibot";
export default definePolicy({
  api: 1, name: "sound", version: "1.0.0", options: v.object({}), onError: "open", onRequest: () => next(),
});
`;

/** What the compiler answers, and the processor time it took as last seen. */
async function compile(sources: readonly PolicySource[]) {
  const unsealed: string[] = [];
  let processorMs = 0;
  const process = {
    ...runtime.process,
    self: [binaryPath],
    processorMsOf(pid: number): number | null {
      const ms = runtime.process.processorMsOf(pid);
      processorMs = Math.max(processorMs, ms ?? 0);
      return ms;
    },
  };
  const unsealedBecause = (why: string): void => void unsealed.push(why);
  const answer = await compileSealed({ process, clock: runtime.clock, unsealed: unsealedBecause }, sources);
  expect(unsealed).toEqual([]);
  return { ...answer, processorMs };
}

describe.skipIf(binaryMissing)("the sealed compiler", () => {
  test("refuses every module that tries to load, run or read something, at its line", async () => {
    const modules = Object.entries({ ...hostileSources, ...hostileLoads });
    expect(modules.length).toBeGreaterThan(100);
    const atOnce = 16;
    for (let first = 0; first < modules.length; first += atOnce) {
      const some = modules.slice(first, first + atOnce);
      const { scripts, issues, failed } = await compile([
        ...some.map(([, { text }], at) => ({ file: `policies/p${at}.ts`, text: `${text}\n` })),
        { file: "policies/sound.ts", text: sound },
      ]);
      expect([scripts, failed]).toEqual([[], false]);
      for (const [at, [name, { says, line }]] of some.entries()) {
        const found = issues.filter((each) => each.file === `policies/p${at}.ts`);
        expect([name, found.map((each) => each.message).join("\n"), found[0]?.line]).toEqual([
          name,
          expect.stringMatching(says),
          line,
        ]);
      }
      expect(issues.filter((each) => each.file === "policies/sound.ts")).toEqual([]);
    }
  }, 120_000);

  for (const [name, shape] of Object.entries(hostileShapes)) {
    test(`comes to an end with a megabyte of: ${name}`, async () => {
      const text = shape(limits.policyBundleBytesMax - 10_000);
      const { failed, processorMs } = await compile([{ file: "policies/p.ts", text }]);
      expect(failed).toBe(false);
      expect(processorMs).toBeLessThan(limits.policyBundleMs / 2);
    }, 120_000);
  }

  for (const [name, shape] of Object.entries(endlessShapes)) {
    test(`is ended by its processor time with: ${name}`, async () => {
      const { failed, issues } = await compile([{ file: "policies/p.ts", text: shape(100_000) }]);
      expect([failed, issues[0]?.message]).toEqual([true, expect.stringContaining("ms of processor time")]);
      expect(issues[0]).toMatchObject({ file: "policies/p.ts", line: 1, column: 1 });
    }, 120_000);
  }
});

describe.skipIf(binaryMissing)("a mesh in one process", () => {
  const folder = mkdtempSync(`${tmpdir()}/heddle-pushes-`);
  const host = addressOf(0);
  const appPort = 8_080;
  let mesh: Program;
  let app: Program;

  beforeAll(async () => {
    const appCommand = [bun, `${root}/test/support/apps.ts`, "http", host, String(appPort), "web", "v1"];
    app = startProgram({ name: "app", command: appCommand, log: `${folder}/app.log` });
    await waitFor("the app accepts", async () => ((await accepts(host, appPort)) ? true : null), {
      program: app,
    });
    const services = [
      { service: "caller", host, port: 9, httpPort: ports.outboundFirst, upstreams: [{ service: "web" }] },
      { service: "web", host, port: appPort, httpPort: ports.outboundFirst + 1 },
    ];
    writeFileSync(`${folder}/machine.yaml`, JSON.stringify({ kind: "Machine", name: "vm-1", services }));
    const at = [
      "--node",
      "vm-1",
      "--address",
      host,
      "--loopback",
      host,
      "--machine",
      `${folder}/machine.yaml`,
    ];
    mesh = heddleRunning(["init", "--trust-domain", "corp.example", ...at], `${folder}/log`, {
      state: folder,
    });
    const stands = () => (/Running in the foreground/.test(mesh.output()) ? true : null);
    await waitFor("the mesh stands", stands, { program: mesh });
    const documents = ["caller", "web"].map(
      (name) => `{kind: Service, name: ${name}, port: 80, protocol: http}`,
    );
    writeFileSync(`${folder}/mesh.yaml`, documents.join("\n---\n"));
    await waitFor("documents are taken", () =>
      operator("apply", "-f", `${folder}/mesh.yaml`).code === 0 ? true : null,
    );
  }, testMs);
  afterAll(async () => {
    await mesh?.stop();
    await app?.stop();
    rmSync(folder, { recursive: true });
  });

  const operator = (...args: string[]) => heddle(args, { state: folder });

  /** Applies a policy of this text; resolves with what was said when it was refused or taken. */
  async function push(name: string, text: string): Promise<string> {
    const pushed = `${folder}/${name}`;
    mkdirSync(`${pushed}/policies`, { recursive: true });
    writeFileSync(`${pushed}/mesh.yaml`, "{kind: Service, name: web, port: 80, protocol: http}");
    writeFileSync(`${pushed}/policies/p.ts`, text);
    const apply = heddleRunning(["apply", "-f", pushed], `${pushed}/log`, { state: folder });
    await apply.exited;
    return apply.output();
  }

  test("goes on with traffic, registry and controller while authors push what takes long to read", async () => {
    const load = new SteadyLoad({
      host,
      port: ports.outboundFirst,
      authority: "web.mesh",
      path: "/",
      connections: 4,
      everyMs: 5,
    });
    load.start();
    const [slow] = Object.values(endlessShapes);
    const chosen = [
      "comments behind a line that ends in with",
      "open exports",
      "open attributes",
      "unknown names in one line",
    ];
    const pushes = [
      push("slow", slow?.(100_000) ?? ""),
      ...chosen.map((name, at) => push(`p${at}`, hostileShapes[name]?.(900_000) ?? "")),
      push("sound", sound),
    ];
    const running = Promise.all(pushes);
    let over = false;
    void running.then(() => (over = true));
    let answers = 0;
    while (!over) {
      expect(operator("status").code).toBe(0);
      answers++;
      await Bun.sleep(100);
    }
    const said = await running;
    await load.stop();
    expect(said[0]).toContain("ms of processor time");
    expect(said[2]).toContain("policies/p.ts:1:");
    expect(said[4]).toContain('"u100000" does not exist in a policy');
    expect(said.at(-1)).not.toContain("Cannot");
    expect(load.failures).toEqual([]);
    expect(load.answered).toBeGreaterThan(100);
    expect(answers).toBeGreaterThan(3);
    expect(mesh.ended).toBeNull();
  }, 180_000);
});
