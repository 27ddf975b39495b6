/** Every advice can be followed: what `init`, `join`, `check` and `node remove` say to do, done as it is said. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { binaryMissing } from "../../compile/repository.ts";
import { ports } from "../../src/model/ports.ts";
import { addressOf } from "../support/addresses.ts";
import { heddle, heddleRunning, type Said } from "../support/command.ts";
import { waitFor, type Program } from "../support/processes.ts";

const host = addressOf(0);
const controller = `${host}:${ports.controller}`;
const at = (index: number): string[] => ["--address", addressOf(index), "--loopback", addressOf(index)];

describe.skipIf(binaryMissing)("advice that can be followed", () => {
  const folder = mkdtempSync(`${tmpdir()}/heddle-advice-`);
  const first = `${folder}/first`;
  const running: Program[] = [];

  beforeAll(async () => {
    const flags = ["--trust-domain", "corp.example", "--node", "vm-1", ...at(0)];
    await started(["init", ...flags], first, /Running in the foreground/);
  }, 30_000);
  afterAll(async () => {
    await Promise.all(running.map((each) => each.stop()));
    rmSync(folder, { recursive: true });
  });

  async function started(args: readonly string[], state: string, stands: RegExp): Promise<Program> {
    const program = heddleRunning(args, `${state}.log`, { state });
    running.push(program);
    await waitFor(`${args[0]} stands`, () => (stands.test(program.output()) ? true : null), { program });
    return program;
  }

  const operator = (...args: string[]): Said => heddle(args, { state: first });

  function newToken(...services: string[]): string {
    const flags = services.flatMap((service) => ["--service", service]);
    const { out } = operator("token", "create", ...flags, "--output", "json");
    return (JSON.parse(out) as { token: string }).token;
  }

  const settingsOf = (state: string): { node: string; ports: { inbound: number } } =>
    JSON.parse(readFileSync(`${state}/heddle.json`, "utf8")) as never;
  const rootOf = (state: string): string =>
    (JSON.parse(readFileSync(`${state}/authority/authority.json`, "utf8")) as { roots: unknown[] })
      .roots[0] as string;

  describe("init", () => {
    const init = (state: string, ...flags: string[]): Said =>
      heddle(["init", "--node", "vm-9", ...at(8), "--no-start", ...flags], { state });

    test("that ended before its last file is finished by the next one, with the same root", () => {
      const state = `${folder}/half`;
      expect(init(state).code).toBe(0);
      const root = rootOf(state);
      rmSync(`${state}/heddle.json`);
      const again = init(state);
      expect([again.code, again.err]).toEqual([0, expect.stringContaining("had ended half way")]);
      expect(rootOf(state)).toEqual(root);
      expect(heddle(["ca", "status"], { state }).err).toContain("Cannot reach");
    });

    test("of another name than the one that ended half way says what to do", () => {
      const state = `${folder}/half`;
      rmSync(`${state}/heddle.json`);
      const other = init(state, "--trust-domain", "other.example");
      expect([other.code, other.err]).toEqual([2, expect.stringContaining("--trust-domain mesh.internal")]);
      expect(init(state, "--trust-domain", "mesh.internal").code).toBe(0);
    });

    test("that was killed at any moment is finished by the next one", async () => {
      for (const name of ["machine.yaml", "authority", "control/operator.json", "registry/registry.db"]) {
        const state = `${folder}/killed-${name.replace("/", "-")}`;
        const flags = ["--node", "vm-9", ...at(8), "--no-start"];
        const program = heddleRunning(["init", ...flags], `${state}.log`, { state });
        const there = (): true | null =>
          existsSync(`${state}/${name}`) || program.ended !== null ? true : null;
        await waitFor(`${name} is there`, there, { everyMs: 1 });
        program.kill("SIGKILL");
        await program.exited;
        if (!existsSync(`${state}/heddle.json`)) expect(init(state).code).toBe(0);
        expect(settingsOf(state).node).toBe("vm-9");
      }
    }, 30_000);

    test.each([
      [["--registry-port", "7443"], "Cannot use port 7443 twice: for the controller"],
      [["--admin-port", "7442"], "Cannot use port 7444 twice: for the registry"],
      [
        ["--service", "web", "--port", "8081", "--upstream", "x=8081"],
        "Cannot use port 8081 twice: for the upstream x.default of web.default",
      ],
      [["--service", "web", "--port", "7480"], "for the HTTP outbound listener of web.default"],
      [
        ["--service", "web", "--port", "8081", "--loopback", "10.1.2.3"],
        "whoever reaches it acts as that service",
      ],
      [["--port", "8081"], "Add --service NAME"],
    ])("with %p names what is wrong, and writes nothing", (flags, text) => {
      const state = `${folder}/refused`;
      const said = init(state, ...flags);
      expect([said.code, said.err]).toEqual([2, expect.stringContaining(text)]);
      expect(existsSync(state)).toBe(false);
    });

    test("takes the name of the Machine document, and refuses two names", () => {
      const state = `${folder}/named`;
      const machine = `${folder}/named.yaml`;
      writeFileSync(machine, "kind: Machine\nname: vm-paper\n");
      const flags = ["--machine", machine, "--no-start", ...at(7)];
      const both = heddle(["init", "--node", "vm-other", ...flags], { state });
      expect([both.code, both.err]).toEqual([
        2,
        expect.stringContaining('its Machine document calls it "vm-paper"'),
      ]);
      expect(heddle(["init", ...flags], { state }).code).toBe(0);
      expect(settingsOf(state).node).toBe("vm-paper");
    });

    test("listens for an identity beyond loopback where that is said to be meant", () => {
      const state = `${folder}/open`;
      const said = heddle(
        [
          "init",
          "--node",
          "vm-9",
          "--address",
          "10.1.2.3",
          "--loopback",
          "10.1.2.3",
          "--service",
          "web",
          "--port",
          "8081",
          "--open-listeners",
          "--no-start",
        ],
        { state },
      );
      expect([said.code, said.out]).toEqual([0, ""]);
    });
  });

  describe("join", () => {
    const orders = ["--service", "orders", "--port", "8080"];
    const join = (state: string, token: string, ...flags: string[]): Said =>
      heddle(["join", controller, token, ...flags], { state });

    test("finds a port that is taken before it spends the token", () => {
      const token = newToken("orders");
      const state = `${folder}/taken`;
      const places = ["--node", "vm-2", "--address", addressOf(1), "--loopback", host];
      const taken = join(state, token, ...places, ...orders);
      expect([taken.code, taken.err]).toEqual([2, expect.stringContaining("the port is taken by heddle")]);
      expect(existsSync(`${state}/heddle.json`)).toBe(false);
      expect(join(state, token, "--node", "vm-2", ...at(1), ...orders, "--no-start").code).toBe(0);
    });

    test("repeated takes what differs over, keeps the token, and leaves the rest", () => {
      const state = `${folder}/again`;
      const joined = join(state, newToken("orders"), "--node", "vm-3", ...at(2), ...orders, "--no-start");
      expect(joined.code).toBe(0);
      const token = newToken("orders");
      const again = (...flags: string[]): Said => join(state, token, ...flags, "--no-start");
      expect(again().err).toContain("nothing was changed");
      const moved = again(
        "--inbound-port",
        "7999",
        "--service",
        "orders",
        "--port",
        "8090",
        "--health",
        "/ok",
      );
      expect([moved.code, moved.err]).toEqual([0, expect.stringContaining("what differs was changed")]);
      expect(settingsOf(state).ports.inbound).toBe(7999);
      expect(readFileSync(`${state}/machine.yaml`, "utf8")).toContain('"port": 8090');
      expect(again().err).toContain("nothing was changed");
      expect(settingsOf(state).ports.inbound).toBe(7999);
      const renamed = again("--node", "vm-33");
      expect([renamed.code, renamed.err]).toEqual([
        2,
        expect.stringContaining("Cannot rename this machine from vm-3 to vm-33"),
      ]);
      expect(join(`${folder}/sixth`, token, "--node", "vm-6", ...at(5), ...orders, "--no-start").code).toBe(
        0,
      );
    });

    test("with a new token adds a service that the machine was not", () => {
      const state = `${folder}/again`;
      const more = ["--service", "billing", "--port", "8091", "--no-start"];
      const said = join(state, newToken("billing"), ...more);
      expect([said.code, said.out]).toEqual([0, ""]);
      expect(existsSync(`${state}/credentials/service.billing.default.json`)).toBe(true);
    });

    test("brings a removed machine back, as check says, and its proxy goes on by itself", async () => {
      const state = `${folder}/back`;
      const flags = ["--node", "vm-5", ...at(4), ...orders];
      const proxy = await started(
        ["join", controller, newToken("orders"), ...flags],
        state,
        /in the foreground/,
      );
      const page = async (): Promise<string> => {
        const answer = await fetch(`http://${addressOf(4)}:${ports.admin}/ready`);
        return `${answer.status} ${await answer.text()}`;
      };
      const becomes = async (text: string): Promise<void> => {
        await waitFor(`it is ${text}`, async () => ((await page()).includes(text) ? true : null), {
          program: proxy,
        });
      };
      await becomes("200 ready");
      expect(operator("node", "remove", "vm-5").code).toBe(0);
      await becomes("waiting member");
      expect(await page()).toStartWith("503 not ready");
      const checked = heddle(["check"], { state });
      expect(checked.out).toMatch(/✗ HED0005 controller: .*was revoked\n\s+Join again with a new token/);
      const back = join(state, newToken("orders"));
      expect([back.code, back.err]).toEqual([0, expect.stringContaining("Its proxy runs already")]);
      await becomes("200 ready");
      expect(heddle(["check"], { state }).out).not.toContain("HED0005 controller: The certificate");
    }, 30_000);
  });

  describe("node remove", () => {
    test("asks first for the controller's own machine, and the machine comes back with a token", () => {
      const asked = operator("node", "remove", "vm-1");
      expect([asked.code, asked.err]).toEqual([1, expect.stringContaining("heddle node remove vm-1 --yes")]);
      expect(operator("node", "list").out).not.toContain("removed");
      expect(operator("node", "remove", "vm-1", "--yes").code).toBe(0);
      const said = heddle(["join", controller, newToken("orders"), "--no-start"], { state: first });
      expect([said.code, said.out]).toEqual([0, ""]);
      expect(operator("status").code).toBe(0);
    });
  });
});
