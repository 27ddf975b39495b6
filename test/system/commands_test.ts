/** Commands in the ways they go wrong: what a person reads, what a program reads, and the exit code. Never a stack. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFileSync, chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { binaryMissing, binaryPath } from "../../compile/repository.ts";
import { ports } from "../../src/model/ports.ts";
import { addressOf } from "../support/addresses.ts";
import { heddle, heddleRunning, type CommandOptions, type Said } from "../support/command.ts";
import { hasPromtool, promtoolFindings } from "../support/promtool.ts";
import { hasProgram, plainEnvironment, waitFor, type Program } from "../support/processes.ts";
import { spawn, spawnSync } from "node:child_process";
import { testMs } from "../support/patience.ts";

const documents = `
{kind: Service, name: orders, port: 80, protocol: http}
---
{kind: Service, name: web, port: 80, protocol: http}
`;

describe.skipIf(binaryMissing)("a command", () => {
  const folder = mkdtempSync(`${tmpdir()}/heddle-commands-`);
  const host = addressOf(0);
  const first = `${folder}/first`;
  let mesh: Program;

  beforeAll(async () => {
    const at = ["--node", "vm-1", "--address", host, "--loopback", host];
    mesh = heddleRunning(["init", "--trust-domain", "corp.example", ...at], `${folder}/log`, {
      state: first,
    });
    const stands = () => (/Running in the foreground/.test(mesh.output()) ? true : null);
    await waitFor("the mesh stands", stands, { program: mesh });
    writeFileSync(`${folder}/mesh.yaml`, documents);
    const applied = () => (operator("apply", "-f", `${folder}/mesh.yaml`).code === 0 ? true : null);
    await waitFor("documents are taken", applied);
  }, testMs);
  afterAll(async () => {
    await mesh?.stop();
    rmSync(folder, { recursive: true });
  });

  const operator = (...args: string[]): Said => heddle(args, { state: first });

  /** As the second machine, which never gets in. */
  function join(
    token: string,
    more: readonly string[] = [],
    controller = `${host}:${ports.controller}`,
  ): Said {
    const at = ["--node", "vm-2", "--address", addressOf(1), "--loopback", addressOf(1)];
    return heddle(["join", controller, token, ...at, "--no-start", ...more], { state: `${folder}/second` });
  }

  function newToken(...flags: string[]): string {
    const said = operator("token", "create", "--service", "orders", "--output", "json", ...flags);
    return (JSON.parse(said.out) as { token: string }).token;
  }

  function expectTold(said: Said, code: number, ...texts: string[]): void {
    expect(said.err).not.toMatch(/^\s+at /m);
    expect(said.err).not.toContain("bug:");
    for (const text of texts) expect(said.err).toContain(text);
    expect(said.code).toBe(code);
  }

  describe("that is misspelt", () => {
    test.each([
      [["statsu"], "Did you mean status?"],
      [["status", "--ouput", "json"], "Did you mean --output?"],
      [["token", "crate"], "Did you mean create?"],
      [["status", "--output", "yaml"], "--output is text or json"],
      [["token", "create", "--service", "Orders"], 'Cannot use --service "Orders"'],
      [["token", "create", "--service", "orders", "--ttl", "2h"], "expected from 1 s to 60 min"],
      [["operator", "create", "a b", "--role", "viewer"], 'Cannot use the name "a b"'],
      [["tap", "--method", "G ET"], 'Cannot use --method "G ET"'],
      [["init", "--inbound-port", "70000"], "expected a port from 0 to 65535"],
    ])("%p is told so", (args, text) => {
      expectTold(operator(...args), 2, text);
    });

    test("a kind that there is none of is told with those there are", () => {
      expectTold(operator("get", "Servise"), 2, 'There is no kind "Servise": expected ');
    });
  });

  test.each([
    [["tap", "ordres", "--count", "1"], "There is no service ordres.default; did you mean orders.default?"],
    [["tap", "--to", "nobody", "--count", "1"], "There is no service nobody.default"],
    [["stat", "ordres", "--window", "500ms"], "There is no service ordres.default"],
  ])("%p ends at once: what is not there is not waited for", (args, text) => {
    expectTold(operator(...args), 1, text);
  });

  test("that taps a machine which tells nothing has not done it", () => {
    expectTold(operator("tap", "--machine", "nobody"), 2, "nobody tells nothing more");
  });

  test("takes documents from a socket as it does from a file", async () => {
    // Programs that start others often give them sockets, which no path opens (ENXIO).
    const child = spawn(binaryPath, ["apply", "-f", "-", "--dry-run"], {
      env: plainEnvironment({ HEDDLE_STATE: first }),
      stdio: ["pipe", "pipe", "pipe"],
    });
    const said = { out: "", err: "" };
    child.stdout.on("data", (text) => (said.out += text));
    child.stderr.on("data", (text) => (said.err += text));
    const code = new Promise((resolve) => child.on("close", resolve));
    child.stdin.end(documents);
    expect([await code, said.err]).toEqual([0, ""]);
    expect(said.out).toContain("= Service orders unchanged");
  });

  test.each([["{"], ["{}"], [""], ["[]"], ["null"]])(
    "with %p for an operator's credential is told so, and which file it is",
    (text) => {
      const path = `${folder}/damaged.operator.json`;
      writeFileSync(path, text, { mode: 0o600 });
      const said = heddle(["status"], { env: { HEDDLE_OPERATOR: path } });
      expectTold(said, 2, path);
    },
  );

  test("check tells which credential is damaged, and goes on to what else it looks at", () => {
    const state = `${folder}/damaged`;
    const at = ["--node", "vm-7", "--address", addressOf(6), "--loopback", addressOf(6)];
    expect(heddle(["init", "--no-start", ...at], { state }).code).toBe(0);
    writeFileSync(`${state}/credentials/node.json`, '{"spiffeId":"spif');
    const said = heddle(["check"], { state });
    expectTold(said, 1, "checks failed");
    expect(said.out).toContain(`HED0004 certificates: Cannot read ${state}/credentials/node.json`);
    expect(said.out).toContain("HED0008");
    expectTold(heddle(["proxy"], { state }), 2, `${state}/credentials/node.json`);
    writeFileSync(`${state}/machine.yaml`, "{{{");
    expect(heddle(["check"], { state }).out).toContain(
      `HED0003 Machine document: Cannot use the Machine document: ${state}/machine.yaml:1:4: `,
    );
  });

  describe("for programs", () => {
    test.each([
      [["version"]],
      [["status"]],
      [["get"]],
      [["get", "access"]],
      [["check"]],
      [["ca", "status"]],
      [["node", "list"]],
      [["token", "create", "--service", "orders"]],
    ])("%p answers in JSON alone", (args) => {
      const said = operator(...args, "--output", "json");
      expect([said.err, said.code]).toEqual(["", 0]);
      expect(typeof JSON.parse(said.out)).toBe("object");
    });

    test("a failure is JSON too, on stderr", () => {
      const said = operator("get", "Service", "nope", "--output", "json");
      expect([said.out, said.code]).toEqual(["", 1]);
      expect(JSON.parse(said.err)).toEqual({ error: 'There is no Service named "nope"' });
    });

    test("problems of documents come as data, each at its place", () => {
      writeFileSync(`${folder}/bad.yaml`, "kind: Service\nname: orders\nprt: 80\nprotocol: http\n");
      const said = operator("apply", "-f", `${folder}/bad.yaml`, "--output", "json");
      const { issues } = JSON.parse(said.out) as {
        issues: { line: number; column: number; message: string }[];
      };
      expect(issues.map(({ line, column }) => [line, column])).toEqual([
        [1, 1],
        [3, 1],
      ]);
      expect(issues[1]?.message).toContain("did you mean port?");
      expect(said.code).toBe(1);
    });

    test("init and join tell what they set up", () => {
      const at = ["--node", "vm-9", "--address", addressOf(8), "--loopback", addressOf(8)];
      const init = heddle(["init", "--no-start", "--output", "json", ...at], { state: `${folder}/ninth` });
      expect(JSON.parse(init.out)).toMatchObject({ node: "vm-9", state: `${folder}/ninth` });
      const flags = ["--service", "orders", "--port", "8080", "--output", "json"];
      const third = ["--node", "vm-3", "--address", addressOf(2), "--loopback", addressOf(2), "--no-start"];
      const state = `${folder}/third`;
      const controller = `${host}:${ports.controller}`;
      const joined = heddle(["join", controller, newToken(), ...third, ...flags], { state });
      expect(JSON.parse(joined.out)).toMatchObject({
        node: "vm-3",
        trustDomain: "corp.example",
        changed: true,
      });
      const again = heddle(["join", controller, "hd1.000000000000.x.y", ...third, ...flags], { state });
      expect(JSON.parse(again.out)).toMatchObject({ node: "vm-3", changed: false });
    });
  });

  test("that is in the foreground shows admin pages of each mode it runs", async () => {
    for (const [at, mode] of ["proxy", "controller", "registry"].entries()) {
      const page = async (path: string) => await fetch(`http://${host}:${ports.admin + at}${path}`);
      expect(await (await page("/ready")).text()).toMatch(/^ready\n/);
      expect(await (await page("/live")).text()).toBe("live\n");
      expect(await (await page("/config")).json()).toMatchObject({ settings: { node: "vm-1" } });
      const metrics = await (await page("/metrics")).text();
      expect(metrics).toContain(`heddle_build_info{mode="${mode}"`);
      expect(metrics).toMatch(/^heddle_identity_expiry_seconds\{id="spiffe:.*"\} 8\d{4}/m);
      if (hasPromtool) expect(promtoolFindings(metrics)).toBe("");
    }
  });

  describe("that joins", () => {
    const orders = ["--service", "orders", "--port", "8080"];

    test("with what is no token is told what one looks like", () => {
      expectTold(join("hd1.zzz", orders), 2, "expected hd1.<id>.<secret>.<pin>");
    });

    test("with a token that ended, or that nobody made, is refused", async () => {
      const token = newToken("--ttl", "1s");
      await Bun.sleep(1_100);
      expectTold(join(token, orders), 1, "This token is not valid", "heddle token create");
      const guessed = newToken().replace(/^(hd1\.[^.]+\.).{6}/, "$1AAAAAA");
      expectTold(join(guessed, orders), 1, "This token is not valid");
    });

    test("to a mesh with another root is stopped by the pin", () => {
      const token = newToken().replace(/.{8}$/, "AAAAAAAA");
      expectTold(join(token, orders), 1, "is not the mesh that this token is for", "somebody is in between");
    });

    test("as a service that the token does not name is refused", () => {
      const said = join(newToken(), ["--service", "payments", "--port", "8080"]);
      expectTold(said, 1, "does not allow the service payments.default, only orders.default");
    });

    test("where nothing answers is told the address", () => {
      const nowhere = `${addressOf(30)}:${ports.controller}`;
      expectTold(join(newToken(), orders, nowhere), 2, `Cannot reach ${nowhere}`, "`heddle controller`");
    });

    test("without the port of its service is told the flag", () => {
      expectTold(join(newToken(), ["--service", "orders"]), 2, "Add --port");
    });

    test("with a token for a service of another namespace gets a join line that names it whole", () => {
      const said = operator("token", "create", "--service", "orders.shop");
      expect(said.out).toContain("--service orders.shop --port PORT");
    });
  });

  describe("whose port is taken", () => {
    test("names the holder, and init writes nothing then", () => {
      const state = `${folder}/taken`;
      const at = ["--node", "vm-1", "--address", host, "--loopback", host];
      const said = heddle(["init", ...at], { state });
      expectTold(said, 2, `the port is taken by heddle (pid ${mesh.pid})`, `Stop heddle (pid ${mesh.pid})`);
      expect(existsSync(state)).toBe(false);
    });

    test("names the holder when a mode starts", () => {
      expectTold(heddle(["proxy"], { state: first }), 2, `the port is taken by heddle (pid ${mesh.pid})`);
    });
  });

  // Only root can give permissions up.
  describe.skipIf(process.getuid?.() !== 0 || !hasProgram("setpriv"))("without permission", () => {
    /** One that nobody may run, in a folder that nobody may enter. */
    const open = mkdtempSync("/tmp/heddle-nobody-");
    const program = `${open}/heddle`;
    beforeAll(() => {
      chmodSync(open, 0o755);
      copyFileSync(binaryPath, program);
      chmodSync(program, 0o755);
      mkdirSync(`${open}/closed`, { mode: 0o700 });
    });
    afterAll(() => rmSync(open, { recursive: true }));

    function asNobody(args: readonly string[], env: Record<string, string>): Said {
      const who = ["--reuid", "65534", "--regid", "65534", "--clear-groups"];
      const answer = spawnSync("setpriv", [...who, program, ...args], {
        encoding: "utf8",
        env: plainEnvironment({ HOME: "/nonexistent", ...env }),
      });
      return { code: answer.status, out: answer.stdout, err: answer.stderr };
    }

    test.each([["init"], ["check"], ["proxy"], ["status"]])(
      "for the state folder, %s says what to do",
      (command) => {
        const said = asNobody([command], { HEDDLE_STATE: `${open}/closed/state` });
        expectTold(said, 2, `${open}/closed/state`, "permission denied", "--state DIR");
      },
    );

    test("for the home, init says what to do", () => {
      expectTold(asNobody(["init", "--no-start"], {}), 2, "/nonexistent", "permission denied", "--state DIR");
    });
  });

  describe("check", () => {
    test("fails for a machine that was removed, with the way back", () => {
      const state = `${folder}/removed`;
      const at = ["--node", "vm-4", "--address", addressOf(3), "--loopback", addressOf(3), "--no-start"];
      const options: CommandOptions = { state };
      const flags = ["--service", "orders", "--port", "8080"];
      expect(heddle(["join", `${host}:${ports.controller}`, newToken(), ...at, ...flags], options).code).toBe(
        0,
      );
      expect(operator("node", "remove", "vm-4").code).toBe(0);
      const said = heddle(["check"], options);
      expect(said.out).toMatch(/✗ HED0005 controller: .*was revoked\n\s+Join again with a new token/);
      expectTold(said, 1, "checks failed");
    });

    test("fails where there is no membership, with the two ways to get one", () => {
      const said = heddle(["check"], { state: `${folder}/none` });
      expect(said.out).toMatch(/✗ HED0001 .*\n\s+heddle init .*heddle join/);
      expect(said.code).toBe(1);
    });
  });
});
