/** `heddle dev` follows its folder: what is broken at the start is waited for, machines and policies come, change and go. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { binaryMissing } from "../../compile/repository.ts";
import { ports } from "../../src/model/ports.ts";
import { addressOf } from "../support/addresses.ts";
import { heddleRunning } from "../support/command.ts";
import { testMs } from "../support/patience.ts";
import { waitFor, type Program } from "../support/processes.ts";

const [one, two] = [addressOf(0), addressOf(1)];
const services =
  "{kind: Service, name: web, port: 80, protocol: http}\n---\n{kind: Service, name: api, port: 80, protocol: http}\n";
const machine = (name: string, address: string, service: string): string =>
  `{kind: Machine, name: ${name}, address: ${address}, services: [{service: ${service}, host: ${address}, port: 8080}]}\n`;
const policy = `import { definePolicy, next } from "heddle/policy";
import * as v from "valibot";
export default definePolicy({ api: 1, version: "1.0.0", name: "quiet", options: v.strictObject({}), onError: "open",
  onRequest() { return next(); } });
`;

describe.skipIf(binaryMissing)("heddle dev follows", () => {
  const folder = mkdtempSync(`${tmpdir()}/heddle-follow-`);
  let dev: Program;
  afterAll(async () => {
    await dev?.stop();
    rmSync(folder, { recursive: true });
  });

  const write = (file: string, text: string): void => writeFileSync(`${folder}/${file}`, text);
  const told = (text: string, times = 1): Promise<true> =>
    waitFor(
      `it tells "${text}" ${times} times`,
      () => (dev.output().split(text).length > times ? true : null),
      { program: dev, limitMs: testMs },
    );
  const answers = async (host: string): Promise<true | null> => {
    const page = await fetch(`http://${host}:${ports.admin}/ready`).catch(() => null);
    return page === null ? null : true;
  };

  test(
    "the repair of a Machine document that was broken at the start, with its own log in the folder",
    async () => {
      write(
        "mesh.yaml",
        services.replace("protocol: http}\n---", "protcol: http}\n---") +
          "---\n" +
          machine("vm-1", one, "web").replace("port:", "prt:"),
      );
      dev = heddleRunning(["dev", folder], `${folder}/dev.log`);
      await told("Waiting until that is mended");
      write(
        "mesh.yaml",
        services.replace("protocol: http}\n---", "protcol: http}\n---") +
          "---\n" +
          machine("vm-1", one, "web"),
      );
      await told("did you mean protocol?");
      await told("Waiting until that is mended", 2);
      write("mesh.yaml", `${services}---\n${machine("vm-1", one, "web")}`);
      await told("created Service web");
      expect(dev.output()).toContain("watching");
    },
    testMs,
  );

  test(
    "machines that come in a subfolder, change and go",
    async () => {
      mkdirSync(`${folder}/more`);
      write("more/second.yaml", machine("vm-2", two, "api"));
      await told("started the machine vm-2");
      await waitFor("vm-2 answers", () => answers(two), { program: dev });
      write("more/second.yaml", machine("vm-2", two, "web"));
      await told("restarted the machine vm-2");
      rmSync(`${folder}/more/second.yaml`);
      await told("stopped the machine vm-2");
      expect(await answers(two)).toBeNull();
      write("more/second.yaml", machine("vm-2", two, "api"));
      await told("started the machine vm-2", 2);
    },
    testMs,
  );

  test(
    "also the first machine, which holds the control plane",
    async () => {
      write("mesh.yaml", `${services}---\n${machine("vm-1", one, "api")}`);
      await told("restarted the machine vm-1");
      write("mesh.yaml", services);
      await told("stopped the machine vm-1");
      write("mesh.yaml", `${services}---\n${machine("vm-1", one, "web")}`);
      await told("started the machine vm-1");
      await waitFor("vm-1 answers", () => answers(one), { program: dev });
    },
    testMs,
  );

  test(
    "policies that come, and go",
    async () => {
      mkdirSync(`${folder}/policies`);
      write("policies/quiet.ts", policy);
      await told("created Policy quiet");
      const used = services.replace("protocol: http}", "protocol: http, policies: [{use: quiet}]}");
      write("mesh.yaml", `${used}---\n${machine("vm-1", one, "web")}`);
      await told("changed Service web");
      rmSync(`${folder}/policies/quiet.ts`);
      await told('the policy "quiet" is not among the files any more');
      write("mesh.yaml", `${services}---\n${machine("vm-1", one, "web")}`);
      await told("deleted Policy quiet");
    },
    testMs,
  );

  test(
    "types of policies, which are told at their place and change nothing",
    async () => {
      write(
        "policies/quiet.ts",
        policy.replace("return next();", "const wrong: number = 'a word'; return next();"),
      );
      await told(
        `${folder}/policies/quiet.ts:4:23: error: TS2322: Type 'string' is not assignable to type 'number'.`,
      );
      await told("created Policy quiet", 2);
      rmSync(`${folder}/policies/quiet.ts`);
      await told("deleted Policy quiet", 2);
    },
    testMs,
  );

  test(
    "documents alone: what else changes there, its own log too, is not read",
    async () => {
      const reads = (): number => dev.output().split("Read again").length - 1;
      const before = reads();
      write("notes.txt", "no document");
      write("mesh.yaml", `${services}---\n${machine("vm-1", one, "web")}# more\n`);
      await told("Read again", before + 1);
      expect(reads()).toBe(before + 1);
    },
    testMs,
  );
});
