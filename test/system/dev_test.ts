/** `heddle dev`: a folder of documents is a mesh; a file that is saved takes effect, one that is broken changes nothing. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { binaryMissing, bun, root } from "../../compile/repository.ts";
import { ports } from "../../src/model/ports.ts";
import { addressOf } from "../support/addresses.ts";
import { heddleRunning } from "../support/command.ts";
import { startProgram, waitFor, type Program } from "../support/processes.ts";
import { testMs } from "../support/patience.ts";
import { shardsOf } from "../support/shard_processes.ts";

const host = addressOf(0);
const services = `
{kind: Service, name: caller, port: 80, protocol: http}
---
{kind: Service, name: web, port: 80, protocol: http, subsets: {v1: {version: v1}, v2: {version: v2}},
 policies: [{use: header-route, with: {header: x-group, values: {beta: {service: web, subset: v2}}}}]}
`;
const route = (version: string): string =>
  `---\n{kind: HTTPRoute, name: web, service: web, rules: [{match: {path: /}, split: {web/${version}: 100}}]}\n`;

describe.skipIf(binaryMissing)("heddle dev", () => {
  const folder = mkdtempSync(`${tmpdir()}/heddle-dev-test-`);
  const running: Program[] = [];
  let dev: Program;

  const write = (text: string): void => writeFileSync(`${folder}/mesh.yaml`, text);
  const writePolicy = (text: string): void => writeFileSync(`${folder}/policies/header_route.ts`, text);
  const shipped = readFileSync(`${root}/policies/header_route.ts`, "utf8");

  beforeAll(async () => {
    mkdirSync(`${folder}/policies`);
    writePolicy(shipped);
    write(services + route("v1"));
    const local = [
      { service: "caller", host, port: 8080, labels: { version: "v1" } },
      { service: "web", host, port: 8081, labels: { version: "v1" } },
      { service: "web", host: addressOf(1), port: 8080, labels: { version: "v2" } },
    ];
    for (const [at, address] of [host, addressOf(1)].entries()) {
      const own = local.filter((each) => each.host === address);
      const machine = { kind: "Machine", name: `vm-${at + 1}`, address, services: own };
      writeFileSync(`${folder}/vm-${at + 1}.yaml`, JSON.stringify(machine));
    }
    for (const { service, host: at, port, labels } of local) {
      const command = [
        bun,
        `${root}/test/support/apps.ts`,
        "http",
        at,
        String(port),
        service,
        labels.version,
      ];
      running.push(startProgram({ name: service, command, log: `${folder}/apps.log` }));
    }
    dev = heddleRunning(["dev", folder], `${folder}/dev.log`);
    running.push(dev);
    await answeredBy("v1");
  }, testMs);
  afterAll(async () => {
    await Promise.all(running.map((each) => each.stop()));
    rmSync(folder, { recursive: true });
  });

  async function versionOf(headers: Record<string, string> = {}): Promise<string> {
    const answer = await fetch(`http://${host}:${ports.outboundFirst}/`, {
      headers: { host: "web.mesh", ...headers },
    });
    return answer.ok ? ((await answer.json()) as { version: string }).version : String(answer.status);
  }

  async function answeredBy(version: string, headers: Record<string, string> = {}): Promise<void> {
    const check = async () => ((await versionOf(headers).catch(() => "")) === version ? true : null);
    await waitFor(`web answers as ${version}`, check, { program: dev, everyMs: 50 });
  }

  const tells = (text: string): Promise<true> =>
    waitFor(`it tells ${text}`, () => (dev.output().includes(text) ? true : null), { program: dev });

  test("takes over a document that is saved", async () => {
    write(services + route("v2"));
    await answeredBy("v2");
    await tells("changed HTTPRoute web");
    write(services + route("v1"));
    await answeredBy("v1");
  });

  test("tells what is wrong with a broken document at its place, and goes on with the one before", async () => {
    write(services.replace("protocol: http, subsets", "protcol: http, subsets") + route("v2"));
    await tells("mesh.yaml:4:");
    await tells("did you mean protocol?");
    await tells("Nothing was changed; what stood before goes on");
    expect(await versionOf()).toBe("v1");
    write(services + route("v2"));
    await answeredBy("v2");
    write(services + route("v1"));
    await answeredBy("v1");
  });

  test("takes over a policy that is saved, and not one that is broken", async () => {
    await answeredBy("v2", { "x-group": "beta" });
    writePolicy(shipped.replace("return routeTo(chosen", "return routTo(chosen"));
    await tells('"routTo" does not exist in a policy');
    expect(await versionOf({ "x-group": "beta" })).toBe("v2");
    const everybodyNext = shipped.replace(
      "return routeTo(chosen",
      "if (value.length < 99) return next();\n    return routeTo(chosen",
    );
    writePolicy(everybodyNext);
    await answeredBy("v1", { "x-group": "beta" });
  });
});

describe.skipIf(binaryMissing)("heddle dev --shards 2", () => {
  const folder = mkdtempSync(`${tmpdir()}/heddle-dev-loops-`);
  const address = addressOf(2);
  let app: ReturnType<typeof Bun.serve>;
  let dev: Program;

  beforeAll(() => {
    app = Bun.serve({ hostname: address, port: 8080, fetch: () => new Response("hello") });
    const machine = {
      kind: "Machine",
      name: "vm",
      address,
      services: [{ service: "web", host: address, port: 8080 }],
    };
    writeFileSync(`${folder}/vm.yaml`, JSON.stringify(machine));
    writeFileSync(`${folder}/mesh.yaml`, "{kind: Service, name: web, port: 80, protocol: http}\n");
    dev = heddleRunning(["dev", folder, "--shards", "2"], `${folder}/dev.log`);
  });
  afterAll(async () => {
    await dev.stop();
    await app.stop(true);
    rmSync(folder, { recursive: true });
  });

  test(
    "carries the traffic of its machine with two processes, which end with it",
    async () => {
      const call = async (): Promise<true | null> => {
        const answer = await fetch(`http://${address}:${ports.outboundFirst}/`, {
          headers: { host: "web.mesh" },
        });
        return (await answer.text()) === "hello" ? true : null;
      };
      await waitFor("web is reached", () => call().catch(() => null), { program: dev, everyMs: 50 });
      const loops = shardsOf(dev.pid);
      expect(loops.length).toBe(2);
      await dev.stop();
      await waitFor("both have ended", () => (loops.some((pid) => existsSync(`/proc/${pid}`)) ? null : true));
    },
    testMs,
  );
});
