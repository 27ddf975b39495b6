/** What a state folder and the memory of a mode keep from others: who may write, what may be read, what asks an admin page. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { spawnSync } from "node:child_process";
import { binaryMissing, binaryPath } from "../../compile/repository.ts";
import { ports } from "../../src/model/ports.ts";
import { addressOf } from "../support/addresses.ts";
import { heddle, heddleRunning, inForeground, type Said } from "../support/command.ts";
import { testMs } from "../support/patience.ts";
import { hasProgram, plainEnvironment, startProgram, waitFor, type Program } from "../support/processes.ts";

const [one, two] = [addressOf(0), addressOf(1)];
const policy = `import { definePolicy, next } from "heddle/policy";
import * as v from "valibot";
export default definePolicy({ api: 1, version: "1.0.0", name: "quiet", options: v.strictObject({}), onError: "open",
  onRequest() { return next(); } });
`;

describe.skipIf(binaryMissing)("a mode and its state", () => {
  // Not below a folder of root's alone: somebody else looks at it too.
  const folder = mkdtempSync("/tmp/heddle-safety-");
  const state = `${folder}/first`;
  const running: Program[] = [];

  beforeAll(async () => {
    chmodSync(folder, 0o755);
    // What lies where the first file is written beside: a link to somebody else's file.
    mkdirSync(state, { mode: 0o700 });
    writeFileSync(`${folder}/victim`, "mine");
    symlinkSync(`${folder}/victim`, `${state}/.new.machine.yaml`);
    const at = ["--node", "vm-1", "--address", one, "--loopback", one];
    await started(heddleRunning(["init", ...at], `${folder}/log`, { state }));
  }, testMs);
  afterAll(async () => {
    await Promise.all(running.map((each) => each.stop()));
    rmSync(folder, { recursive: true });
  });

  async function started(program: Program): Promise<Program> {
    running.push(program);
    const stands = (): true | null => (/in the foreground/.test(program.output()) ? true : null);
    await waitFor("the mesh stands", stands, { program });
    return program;
  }

  test("write no file through a link that lies there", () => {
    expect(readFileSync(`${folder}/victim`, "utf8")).toBe("mine");
    expect(existsSync(`${state}/.new.machine.yaml`)).toBe(false);
  });

  test("keep the registry's store for their owner alone", () => {
    for (const name of ["registry/registry.db", "registry/registry.db-wal", "registry/registry.db-shm"])
      expect([name, statSync(`${state}/${name}`).mode & 0o777]).toEqual([name, 0o600]);
  });

  test("leave no core file", () => {
    const [mesh] = running;
    expect(readFileSync(`/proc/${mesh?.pid}/limits`, "utf8")).toMatch(/^Max core file size +0 +0 /m);
  });

  test.each([
    ["init", ["--no-start"]],
    ["proxy", []],
    ["check", []],
    ["join", [`${one}:${ports.controller}`, "hd1.x.y.z", "--no-start"]],
  ])("refuse a folder that others may write to: %s", (command, flags) => {
    const open = `${folder}/open-${command}`;
    mkdirSync(open);
    chmodSync(open, 0o777);
    const said = heddle([command, ...flags], { state: open });
    expect([said.code, said.err]).toEqual([2, expect.stringContaining(`chmod 700 ${open}`)]);
  });

  test("are refused where others may read or write a secret, or a folder of secrets", () => {
    const open = (name: string, mode: number): Said => {
      const path = `${state}/${name}`;
      const before = statSync(path).mode & 0o777;
      chmodSync(path, mode);
      const said = heddle(["check"], { state });
      chmodSync(path, before);
      return said;
    };
    for (const name of [
      "authority/authority.json",
      "credentials/node.json",
      "control/operator.json",
      "heddle.json",
    ])
      expect([name, open(name, 0o640)]).toEqual([
        name,
        { code: 2, out: "", err: expect.stringContaining(`chmod 600 ${state}/${name}`) },
      ]);
    expect(open("authority", 0o770).err).toContain(`chmod 700 ${state}/authority`);
    expect(open("machine.yaml", 0o664).err).toContain(`chmod go-w ${state}/machine.yaml`);
    expect(heddle(["check"], { state }).err).toBe("");
  });

  test("refuse an operator's credential that others may read, wherever it lies", () => {
    const shared = `${folder}/shared.json`;
    copyFileSync(`${state}/control/operator.json`, shared);
    chmodSync(shared, 0o644);
    const said = heddle(["status"], { state, env: { HEDDLE_OPERATOR: shared } });
    expect([said.code, said.err]).toEqual([2, expect.stringContaining(`chmod 600 ${shared}`)]);
    chmodSync(shared, 0o600);
    expect(heddle(["status"], { state, env: { HEDDLE_OPERATOR: shared } }).code).toBe(0);
  });

  test("answer admin pages to whoever asks by an address, not by a name that a browser was given", async () => {
    const ask = async (name: string): Promise<number> =>
      (await fetch(`http://${one}:${ports.admin}/ready`, { headers: { host: name } })).status;
    expect(await ask(`${one}:${ports.admin}`)).toBe(200);
    expect(await ask("localhost")).toBe(200);
    expect(await ask("[::1]:9464")).toBe(200);
    for (const name of ["evil.example", "127.0.0.1.evil.example", "evil.example:9464"])
      expect(await ask(name)).toBe(421);
  });

  // Only root can be somebody else.
  describe.skipIf(process.getuid?.() !== 0 || !hasProgram("setpriv"))("of a user who is not root", () => {
    const nobody = 65_534;
    const program = `${folder}/heddle`;
    const own = `${folder}/nobody`;
    const who = ["setpriv", "--reuid", String(nobody), "--regid", String(nobody), "--clear-groups"];
    const env = plainEnvironment({ HEDDLE_STATE: own, HOME: "/nonexistent" });

    beforeAll(async () => {
      copyFileSync(binaryPath, program);
      chmodSync(program, 0o755);
      mkdirSync(own, { mode: 0o700 });
      chownSync(own, nobody, nobody);
      mkdirSync(`${folder}/docs/policies`, { recursive: true });
      writeFileSync(`${folder}/docs/policies/quiet.ts`, policy);
      writeFileSync(
        `${folder}/docs/mesh.yaml`,
        "{kind: Service, name: web, port: 80, protocol: http, policies: [{use: quiet}]}\n",
      );
      const at = [
        "--node",
        "vm-2",
        "--address",
        two,
        "--loopback",
        two,
        "--service",
        "web",
        "--port",
        "8080",
      ];
      const command = [...who, program, ...inForeground(["init", ...at])];
      await started(startProgram({ name: "nobody's mesh", command, log: `${folder}/nobody.log`, env }));
    }, testMs);

    function asNobody(...args: readonly string[]): Said {
      const [command = "", ...more] = [...who, ...args];
      const answer = spawnSync(command, more, { encoding: "utf8", env });
      return { code: answer.status, out: answer.stdout, err: answer.stderr };
    }

    test("is closed to other processes of that user", () => {
      const pid = /proxy: vm-2/.test(running.at(-1)?.output() ?? "") ? running.at(-1)?.pid : 0;
      expect(asNobody("cat", `/proc/${pid}/environ`).err).toContain("Permission denied");
    });

    test("is refused to root, who would write what that user cannot read", () => {
      for (const words of [["check"], ["status"], ["proxy"], ["init", "--no-start"]])
        expect([words, heddle(words, { state: own })]).toEqual([
          words,
          {
            code: 2,
            out: "",
            err: expect.stringContaining("belongs to user 65534, and this runs as user 0"),
          },
        ]);
    });

    test("refuses a secret that somebody else owns", () => {
      chownSync(`${own}/control/operator.json`, 1, 1);
      chmodSync(`${own}/control/operator.json`, 0o600);
      const said = asNobody(program, "status");
      chownSync(`${own}/control/operator.json`, nobody, nobody);
      expect([said.code, said.err]).toEqual([
        2,
        expect.stringContaining("it belongs to user 1, and this runs as"),
      ]);
    });

    test("runs policies, and is named as the one that has the port", async () => {
      const applied = asNobody(program, "apply", "-f", `${folder}/docs`);
      expect([applied.err, applied.code]).toEqual(["", 0]);
      const runs = async (): Promise<true | null> => {
        await fetch(`http://${two}:${ports.outboundFirst}/`, { headers: { host: "web.mesh" } });
        return asNobody(program, "check").out.includes("✓ HED0010 policies: 1 version") ? true : null;
      };
      await waitFor("its policy runs", runs, { everyMs: 100 });
      const taken = asNobody(program, "proxy");
      expect([taken.code, taken.err]).toEqual([
        2,
        expect.stringMatching(/the port is taken by heddle \(pid \d+\)/),
      ]);
    });
  });
});
