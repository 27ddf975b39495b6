/** Whole life cycles: what can be made can be listed and taken away, by commands that say what they did. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { binaryMissing, binaryPath } from "../../compile/repository.ts";
import { ports } from "../../src/model/ports.ts";
import { addressOf } from "../support/addresses.ts";
import { heddle, heddleRunning, type Said } from "../support/command.ts";
import { plainEnvironment, waitFor, type Program } from "../support/processes.ts";
import { testMs } from "../support/patience.ts";

const host = addressOf(0);
const controller = `${host}:${ports.controller}`;
const service = (name: string, more = ""): string =>
  `{kind: Service, name: ${name}, port: 80, protocol: http${more}}\n`;
const policy = `import { definePolicy, next } from "heddle/policy";
import * as v from "valibot";
export default definePolicy({ api: 1, version: "1.0.0", name: "quiet", options: v.strictObject({}), onError: "open",
  onRequest() { return next(); } });
`;

describe.skipIf(binaryMissing)("life cycles", () => {
  const folder = mkdtempSync(`${tmpdir()}/heddle-cycles-`);
  const state = `${folder}/first`;
  let mesh: Program;

  beforeAll(async () => {
    const at = ["--node", "vm-1", "--address", host, "--loopback", host];
    mesh = heddleRunning(["init", "--trust-domain", "corp.example", ...at], `${folder}/log`, { state });
    const stands = (): true | null => (/Running in the foreground/.test(mesh.output()) ? true : null);
    await waitFor("the mesh stands", stands, { program: mesh });
    await waitFor("it answers", () => (operator("status").code === 0 ? true : null), { everyMs: 50 });
  }, testMs);
  afterAll(async () => {
    await mesh?.stop();
    rmSync(folder, { recursive: true });
  });

  const operator = (...args: string[]): Said => heddle(args, { state });
  const piped = (input: string, args: readonly string[], inState = state): Said => {
    const env = plainEnvironment({ HEDDLE_STATE: inState });
    const { status, stdout, stderr } = spawnSync(binaryPath, args, { input, encoding: "utf8", env });
    return { code: status, out: stdout, err: stderr };
  };

  function write(name: string, text: string, more: Readonly<Record<string, string>> = {}): string {
    mkdirSync(`${folder}/${name}/policies`, { recursive: true });
    writeFileSync(`${folder}/${name}/mesh.yaml`, text);
    for (const [file, content] of Object.entries(more)) writeFileSync(`${folder}/${name}/${file}`, content);
    return `${folder}/${name}`;
  }

  test("documents come by standard input, and go by name unless others need them", () => {
    const route =
      "---\n{kind: HTTPRoute, name: web, service: web, rules: [{match: {path: /}, split: {api: 100}}]}\n";
    const applied = piped(service("web") + "---\n" + service("api") + route, ["apply", "-f", "-"]);
    expect([applied.code, applied.out]).toEqual([0, expect.stringContaining("+ HTTPRoute web created")]);
    const needed = operator("delete", "service", "api");
    expect([needed.code, needed.err]).toEqual([1, expect.stringContaining("Others need it")]);
    expect(operator("delete", "HTTPRoute", "web", "--dry-run").code).toBe(0);
    const gone = operator("delete", "HTTPRoute", "web");
    expect([gone.code, gone.out]).toEqual([0, expect.stringContaining("- HTTPRoute web deleted")]);
    expect(operator("delete", "Service", "api").code).toBe(0);
    const twice = operator("delete", "Service", "api");
    expect([twice.code, twice.err]).toEqual([1, expect.stringContaining('There is no Service named "api"')]);
    expect(mesh.output()).toMatch(/controller: admin made revision \d+: Service api deleted/);
  });

  test("nothing to apply is an error", () => {
    const said = operator("apply", "-f", write("nothing", "# nothing\n"));
    expect([said.code, said.err]).toEqual([1, expect.stringContaining("There is nothing to apply")]);
  });

  test(
    "two applies of different documents at the same moment both succeed",
    async () => {
      const applies = ["one", "two", "three"].map((name) =>
        heddleRunning(["apply", "-f", write(name, service(name))], `${folder}/${name}.log`, { state }),
      );
      await Promise.all(applies.map((each) => each.exited));
      expect(applies.map(({ ended }) => ended?.code)).toEqual([0, 0, 0]);
      for (const name of ["one", "two", "three"]) expect(operator("get", "Service", name).code).toBe(0);
    },
    testMs,
  );

  test("a policy is listed with what uses it, and goes once nothing does", () => {
    const files = { "policies/quiet.ts": policy };
    const used = write("used", service("web", ", policies: [{use: quiet}]"), files);
    expect(operator("apply", "-f", used).code).toBe(0);
    expect(operator("policy", "list").out).toMatch(/quiet +1.0.0 +\w{8} +1 +open +Service web/);
    const refused = operator("policy", "delete", "quiet");
    expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('there is no policy "quiet"')]);
    expect(operator("apply", "-f", write("free", service("web"))).code).toBe(0);
    expect(operator("policy", "delete", "quiet").out).toContain("- Policy quiet deleted");
    expect(operator("policy", "list").out).not.toContain("quiet");
    const shipped = operator("policy", "delete", "header-route");
    expect([shipped.code, shipped.err]).toEqual([1, expect.stringContaining("ships with heddle")]);
  });

  describe("validate", () => {
    const offline = (path: string): Said => heddle(["validate", path], { state: `${folder}/nowhere` });

    test("takes what is sound, Machine documents too, without a mesh", () => {
      const mixed = `${service("web", ", policies: [{use: quiet}]")}---\n{kind: Machine, name: vm-9}\n`;
      const said = offline(write("sound", mixed, { "policies/quiet.ts": policy }));
      expect([said.code, said.err, said.out]).toEqual([
        0,
        "",
        expect.stringContaining("Machine vm-9, Service web"),
      ]);
    });

    test("looks into subfolders as apply does, and names what is wrong there", () => {
      const deep = write("deep", service("web"));
      mkdirSync(`${deep}/team/policies`, { recursive: true });
      writeFileSync(`${deep}/team/more.yaml`, service("more", ", policies: [{use: quiet}]"));
      writeFileSync(`${deep}/team/policies/quiet.ts`, policy);
      expect([offline(deep).code, offline(deep).out]).toEqual([
        0,
        "All is well: Service web, Service more, Policy quiet\n",
      ]);
      const tried = operator("apply", "--dry-run", "-f", deep);
      expect([tried.code, tried.out]).toEqual([0, expect.stringContaining("+ Service more created")]);
      writeFileSync(`${deep}/team/policies/quiet.ts`, policy.replace("next()", "process.exit()"));
      for (const said of [offline(deep), operator("apply", "--dry-run", "-f", deep)])
        expect([said.code, said.err]).toEqual([
          1,
          expect.stringContaining(`${deep}/team/policies/quiet.ts:`),
        ]);
    });

    test("of nothing is refused, as apply of nothing is", () => {
      const said = offline(write("blank", "# nothing\n"));
      expect([said.code, said.err]).toEqual([1, expect.stringContaining("There is nothing to check in")]);
    });

    test("names what is wrong at its place, in a file of several documents too", () => {
      const mixed = `{kind: Machine, name: vm-9}\n---\n${service("web", ", policies: [{use: nowhere}]")}`;
      const said = offline(write("unsound", mixed));
      expect([said.code, said.err]).toEqual([
        1,
        expect.stringMatching(/mesh.yaml:3:\d+: error: policies\[0\].use: there is no policy "nowhere"/),
      ]);
    });
  });

  describe("a token", () => {
    const made = (...flags: string[]): string =>
      (JSON.parse(operator("token", "create", ...flags, "--output", "json").out) as { token: string }).token;

    test("is made for no service only where that is said", () => {
      const said = operator("token", "create");
      expect([said.code, said.err]).toEqual([2, expect.stringContaining("--any-service")]);
      expect(operator("token", "create", "--any-service").code).toBe(0);
    });

    test("is listed, and taken back before it is used", () => {
      const token = made("--service", "orders");
      const [, id = ""] = token.split(".");
      expect(operator("token", "list").out).toMatch(new RegExp(`${id} +orders.default +good for 15 min`));
      expect(operator("token", "revoke", id).code).toBe(0);
      expect(operator("token", "list").out).not.toContain(id);
      const at = ["--node", "vm-5", "--address", addressOf(4), "--loopback", addressOf(4), "--no-start"];
      const joined = heddle(["join", controller, token, ...at], { state: `${folder}/fifth` });
      expect([joined.code, joined.err]).toEqual([1, expect.stringContaining("This token is not valid")]);
      expect(mesh.output()).toContain(`admin revoked the token ${id}`);
    });

    test("comes by a file or by standard input, and what is said goes to stderr", () => {
      const at = (index: number): string[] => {
        const address = addressOf(index);
        return ["--node", `vm-${index}`, "--address", address, "--loopback", address, "--no-start"];
      };
      writeFileSync(`${folder}/token`, `${made("--service", "orders")}\n`);
      const orders = ["--service", "orders", "--port", "8080"];
      const byFile = ["join", controller, "--token-file", `${folder}/token`, ...at(5), ...orders];
      const joined = heddle(byFile, { state: `${folder}/sixth` });
      expect([joined.code, joined.out, joined.err]).toEqual([0, "", expect.stringContaining("vm-5 joined")]);
      const byInput = ["join", controller, "--token-file", "-", ...at(6), ...orders];
      expect(piped(made("--service", "orders"), byInput, `${folder}/seventh`).code).toBe(0);
      expect(operator("token", "list").out).toMatch(/used by vm-6 from/);
    });

    test("is not in what init prints", () => {
      expect(mesh.output()).not.toContain("hd1.");
    });
  });

  test("a machine that was removed leaves the lists", () => {
    expect(operator("node", "list").out).toContain("vm-6");
    expect(operator("node", "remove", "vm-6").code).toBe(0);
    expect(operator("node", "list").out).not.toContain("vm-6");
    expect(operator("status").out).not.toContain("vm-6");
  });

  test("SIGHUP ends nothing", async () => {
    mesh.kill("SIGHUP");
    await waitFor("it tells so", () => (mesh.output().includes("SIGHUP: ") ? true : null), { program: mesh });
    expect(operator("status").code).toBe(0);
  });

  test("misuse is told as data where data is asked for, and help names the exit codes", () => {
    const said = operator("statsu", "--output", "json");
    expect([said.code, said.out, JSON.parse(said.err)]).toEqual([
      2,
      "",
      { error: "unknown command 'statsu'", hint: "Did you mean status?" },
    ]);
    for (const part of [[], ["token"]]) {
      const half = operator(...part, "--output", "json");
      expect([half.code, JSON.parse(half.err)]).toEqual([
        2,
        { error: "The command is not whole", hint: "heddle help lists the commands" },
      ]);
    }
    expect(JSON.parse(operator("apply", "--output", "json").err)).toMatchObject({
      error: expect.stringContaining("'-f, --file <path>'"),
    });
    expect(operator("--help").out).toContain("Exit codes: 0 it is done");
    expect(readFileSync(`${folder}/log`, "utf8")).not.toContain("bug:");
  });
});
