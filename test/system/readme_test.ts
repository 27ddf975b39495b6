/**
 * The README's way from nothing to a mesh with a route, an access rule and a policy, read from the README itself: its files are
 * written as they stand there, its commands are typed as they stand there, and each must do what is promised beside it. Only
 * the addresses are others: loopback ones.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname } from "node:path";
import { binaryMissing, bun, root } from "../../compile/repository.ts";
import { addressOf } from "../support/addresses.ts";
import { heddle, heddleRunning, type CommandOptions } from "../support/command.ts";
import { accepts, hasProgram, startProgram, waitFor, type Program } from "../support/processes.ts";
import { testMs } from "../support/patience.ts";

interface Step {
  /** Whose prompt it stands behind. */
  readonly machine: string;
  readonly words: readonly string[];
  /** What is promised beside it: `200: v1 answers`. */
  readonly promise: string;
}

const readme = readFileSync(`${root}/README.md`, "utf8");

function chapter(title: string): string {
  const found = readme.split(/^## /m).find((each) => each.startsWith(`${title}\n`));
  if (found === undefined) throw new Error(`The README has no chapter "${title}"`);
  return found;
}

/** The files of a chapter: blocks whose first line is a comment that begins with their name. */
function filesOf(text: string): (readonly [name: string, content: string])[] {
  return [...text.matchAll(/^```(?:yaml|ts)\n((?:#|\/\/) (mesh\/[\w./-]+)[\s\S]*?)^```/gm)].map(
    ([, content = "", name = ""]) => [name, content] as const,
  );
}

/** The commands of a chapter: `vm-1$ heddle status`. */
function stepsOf(text: string): Step[] {
  return [...text.matchAll(/^([\w-]+)\$ ([^#\n]*?) *(?:# (.*))?$/gm)].map(
    ([, machine = "", typed = "", promise = ""]) => ({ machine, words: wordsOf(typed), promise }),
  );
}

/** As a shell takes them. */
function wordsOf(typed: string): string[] {
  return [...typed.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain = ""]) => quoted ?? plain);
}

const folder = mkdtempSync(`${tmpdir()}/heddle-readme-`);
const running: Program[] = [];
afterAll(async () => {
  await Promise.all(running.map((each) => each.stop()));
  rmSync(folder, { recursive: true });
});

const hostOf = (machine: string): string => addressOf(Number(machine.slice(3)));
const stateOf = (machine: string): string => `${folder}/${machine}`;
const logOf = (machine: string): string => `${folder}/${machine}.log`;

function write(name: string, content: string): void {
  mkdirSync(dirname(`${folder}/${name}`), { recursive: true });
  writeFileSync(`${folder}/${name}`, content);
}

async function startApp(host: string, port: string, service: string, version: string): Promise<void> {
  const command = [bun, `${root}/test/support/apps.ts`, "http", host, port, service, version];
  const program = startProgram({ name: "app", command, log: `${folder}/app.log` });
  running.push(program);
  await waitFor("the app accepts", async () => ((await accepts(host, Number(port))) ? true : null), {
    program,
  });
}

async function startHeddle(words: readonly string[], log: string, options: CommandOptions): Promise<void> {
  const started = heddleRunning(words, log, options);
  running.push(started);
  const stands = () => (/Running in the foreground/.test(started.output()) ? true : null);
  await waitFor(`heddle ${words[0]} runs`, stands, { program: started });
}

/** Until it is answered as promised: `200: v1 answers`, `403: Come back` (the answer itself says what begins with a capital). */
async function untilAnswered(words: readonly string[], promise: string): Promise<void> {
  const [, status = "", text = ""] = /^(\d{3}): (.*)$/.exec(promise) ?? [];
  expect([words, status]).toEqual([words, expect.stringMatching(/^\d{3}$/)]);
  const version = /^(v\d) answers/.exec(text)?.[1];
  const wanted = version === undefined ? text.match(/^[A-Z].*/)?.[0] : `"version":"${version}"`;
  let said = "";
  const call = (): true | null => {
    const flags = ["-s", "-w", "\n%{http_code}", ...words];
    said = spawnSync("curl", flags, { encoding: "utf8", timeout: 5_000 }).stdout;
    return said.endsWith(`\n${status}`) && said.includes(wanted ?? "") ? true : null;
  };
  await waitFor(`curl ${words.join(" ")} says ${promise}`, call, { everyMs: 50 }).catch((error: Error) => {
    throw new Error(`${error.message}; it said ${said}`);
  });
}

describe.skipIf(binaryMissing || !hasProgram("curl"))("the README's three machines", () => {
  let token = "";

  /** What differs when three machines are three loopback addresses of one. */
  function onLoopback({ machine, words }: Step): string[] {
    const host = hostOf(machine);
    const typed = words.map((word) =>
      word.replace("10.0.0.1", hostOf("vm-1")).replace("127.0.0.1", host).replace("hd1.…", token),
    );
    const at = ["--loopback", host, "--node", machine];
    if (typed[1] === "init") return [...typed, ...at];
    if (typed[1] === "join") return [...typed, ...at, "--address", host];
    return typed;
  }

  async function type(step: Step): Promise<void> {
    const [program = "", ...words] = onLoopback(step);
    const options = { state: stateOf(step.machine), folder };
    if (program === "curl") return await untilAnswered(words, step.promise);
    if (words[0] === "init" || words[0] === "join") {
      const [service, version] = [valueOf(words, "--service"), valueOf(words, "--label")];
      await startApp(
        hostOf(step.machine),
        valueOf(words, "--port"),
        service,
        version.slice("version=".length),
      );
      return await startHeddle(words, logOf(step.machine), options);
    }
    const said = heddle(words, options);
    expect([words, said.err, said.code]).toEqual([words, "", 0]);
    token = /hd1\.\S+/.exec(said.out)?.[0] ?? token;
  }

  test.each(["Three machines", "A route, and who may call", "Write a policy"])(
    "%s: every command does what is promised beside it",
    async (title) => {
      const steps = stepsOf(chapter(title));
      expect(steps.filter(({ promise }) => /^\d{3}: /.test(promise)).length).toBeGreaterThan(1);
      for (const [name, content] of filesOf(chapter(title))) write(name, content);
      for (const step of steps) await type(step);
    },
    testMs,
  );

  test("joining ends with curl lines that work as they are printed", async () => {
    for (const machine of ["vm-1", "vm-2", "vm-3"]) {
      const said = readFileSync(logOf(machine), "utf8").split("\n");
      const lines = said.filter((line) => line.includes("curl http://"));
      expect(lines.length).toBeGreaterThan(1);
      for (const line of lines) {
        const typed = /((?:http_proxy=\S+ )?curl \S+)$/.exec(line)?.[1] ?? "";
        const answer = spawnSync("sh", ["-c", `${typed} -s -o /dev/null -w '%{http_code}'`], {
          encoding: "utf8",
        });
        // orders may not call itself: its document says so, and the line shows just that.
        const refused = line.includes("orders.mesh") && machine !== "vm-1";
        expect([line, answer.stdout]).toEqual([line, refused ? "403" : "200"]);
      }
    }
  });

  test("joining again changes nothing, says so, and ends well though the proxy runs", () => {
    const steps = stepsOf(chapter("Three machines"));
    const step = steps.find(({ machine, words }) => machine === "vm-2" && words[1] === "join");
    if (step === undefined) throw new Error("The README has no join of vm-2");
    const before = readFileSync(`${stateOf("vm-2")}/heddle.json`, "utf8");
    token = "hd1.000000000000.x.y";
    const again = heddle(onLoopback(step).slice(1), { state: stateOf("vm-2") });
    expect([again.code, again.out]).toEqual([0, ""]);
    expect(again.err).toContain("nothing was changed");
    expect(again.err).toContain("runs already");
    expect(readFileSync(`${stateOf("vm-2")}/heddle.json`, "utf8")).toBe(before);
  });

  test("a second init refuses and leaves the authority as it is", () => {
    const before = readFileSync(`${stateOf("vm-1")}/heddle.json`, "utf8");
    const again = heddle(["init"], { state: stateOf("vm-1") });
    expect(again.code).toBe(2);
    expect(again.err).toContain("never overwritten");
    expect(readFileSync(`${stateOf("vm-1")}/heddle.json`, "utf8")).toBe(before);
  });

  test("check finds nothing wrong on them", () => {
    for (const machine of ["vm-1", "vm-2", "vm-3"]) {
      const said = heddle(["check"], { state: stateOf(machine) });
      expect([machine, said.out.includes("✗"), said.code]).toEqual([machine, false, 0]);
    }
  });

  test(
    "the same on one machine: heddle dev runs the folder, and apply leaves its Machine documents out",
    async () => {
      const text = chapter("The same on one machine");
      const hosts = new Map<string, string>();
      const moved = (words: string): string =>
        words.replace(/127\.0\.0\.(\d)/g, (host, digit: string) => {
          hosts.set(host, addressOf(10 + Number(digit)));
          return hosts.get(host) ?? "";
        });
      for (const [name, content] of filesOf(text)) write(name, moved(content));
      for (const [digit, version] of [
        ["2", "v1"],
        ["3", "v2"],
      ] as const)
        await startApp(hosts.get(`127.0.0.${digit}`) ?? "", "8080", "orders", version);
      for (const { words, promise } of stepsOf(text)) {
        const [program = "", ...rest] = words.map(moved);
        if (program === "curl") await untilAnswered(rest, promise);
        else if (rest[0] === "dev") await startHeddle(rest, `${folder}/dev.log`, { folder });
        else expect([rest, heddle(rest, { folder }).err]).toEqual([rest, ""]);
      }
      const applied = heddle(["apply", "-f", "mesh"], { state: stateOf("vm-1"), folder });
      expect(applied.code).toBe(0);
      expect(applied.err.match(/warning: left out: a Machine document stays on its machine/g)).toHaveLength(
        3,
      );
    },
    testMs,
  );
});

function valueOf(words: readonly string[], flag: string): string {
  return words.includes(flag) ? (words[words.indexOf(flag) + 1] ?? "") : "";
}
