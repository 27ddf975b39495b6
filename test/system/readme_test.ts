/** The README's way from nothing to a mesh, read from the README itself and typed as it stands there, on loopback addresses. */
import { afterAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { binaryMissing, bun, root } from "../../compile/repository.ts";
import { addressOf } from "../support/addresses.ts";
import { heddle, heddleRunning } from "../support/command.ts";
import { accepts, hasProgram, startProgram, waitFor, type Program } from "../support/processes.ts";
import { testMs } from "../support/patience.ts";

interface Step {
  readonly machine: string;
  readonly words: readonly string[];
}

const chapter = readFileSync(`${root}/README.md`, "utf8")
  .split(/^## /m)
  .find((each) => each.startsWith("Three machines"));

/** The block of that kind in the chapter. */
function block(kind: string): string {
  return new RegExp(`^\`\`\`${kind}\\n(.*?)^\`\`\``, "ms").exec(chapter ?? "")?.[1] ?? "";
}

const steps: readonly Step[] = block("sh")
  .trim()
  .split("\n")
  .map((line) => {
    const [, machine = "", typed = ""] = /^(vm-\d)\$ ([^#]*)/.exec(line) ?? [];
    return { machine, words: typed.trim().split(/\s+/) };
  });

describe.skipIf(binaryMissing || !hasProgram("curl"))("the README's three machines", () => {
  const folder = mkdtempSync(`${tmpdir()}/heddle-readme-`);
  const running: Program[] = [];
  afterAll(async () => {
    await Promise.all(running.map((each) => each.stop()));
    rmSync(folder, { recursive: true });
  });

  const hostOf = (machine: string): string => addressOf(Number(machine.slice(3)));
  const stateOf = (machine: string): string => `${folder}/${machine}`;
  const logOf = (machine: string): string => `${folder}/${machine}.log`;

  /** What differs when three machines are three loopback addresses of one. */
  function onLoopback({ machine, words }: Step, token: string): string[] {
    const host = hostOf(machine);
    const typed = words.map((word) =>
      word.replace("10.0.0.1", hostOf("vm-1")).replace("127.0.0.1", host).replace("hd1.…", token),
    );
    const at = ["--loopback", host, "--node", machine];
    if (typed[1] === "init") return [...typed, ...at];
    if (typed[1] === "join") return [...typed, ...at, "--address", host];
    return typed;
  }

  async function startApp(machine: string, words: readonly string[]): Promise<void> {
    const [host, port] = [hostOf(machine), valueOf(words, "--port")];
    const command = [
      bun,
      `${root}/test/support/apps.ts`,
      "http",
      host,
      port,
      valueOf(words, "--service"),
      "v1",
    ];
    const program = startProgram({ name: "app", command, log: `${folder}/app.log` });
    running.push(program);
    await waitFor("the app accepts", async () => ((await accepts(host, Number(port))) ? true : null), {
      program,
    });
  }

  test(
    "stand after the commands that it shows, and its call is answered",
    async () => {
      expect(steps.map(({ words }) => words.slice(0, 2).join(" "))).toContain("heddle apply");
      writeFileSync(`${folder}/mesh.yaml`, block("yaml"));
      let token = "";
      for (const step of steps) {
        const [program = "", ...words] = onLoopback(step, token);
        const options = { state: stateOf(step.machine), folder };
        if (program === "curl") await untilAnswered(words);
        else if (words[0] === "init" || words[0] === "join") {
          if (words[0] === "join") await startApp(step.machine, words);
          const started = heddleRunning(words, logOf(step.machine), options);
          running.push(started);
          const stands = () => (/Running in the foreground/.test(started.output()) ? true : null);
          await waitFor(`${step.machine} runs`, stands, { program: started });
        } else {
          const said = heddle(words, options);
          expect([said.err, said.code]).toEqual(["", 0]);
          token = /hd1\.\S+/.exec(said.out)?.[0] ?? token;
        }
      }
      expect(steps.some(({ words }) => words[0] === "curl")).toBe(true);
    },
    testMs,
  );

  test("joining ends with curl lines that work as they are printed", async () => {
    for (const machine of ["vm-2", "vm-3"]) {
      const said = readFileSync(logOf(machine), "utf8").split("\n");
      const lines = said.filter((line) => line.includes("curl http://"));
      expect(lines.length).toBeGreaterThan(1);
      for (const line of lines) {
        const typed = /((?:http_proxy=\S+ )?curl \S+)$/.exec(line)?.[1] ?? "";
        const answer = spawnSync("sh", ["-c", `${typed} -s -o /dev/null -w '%{http_code}'`], {
          encoding: "utf8",
        });
        // orders may not call itself: its document says so, and the line shows just that.
        expect([line, answer.stdout]).toEqual([
          line,
          line.includes("orders.mesh") && machine === "vm-2" ? "403" : "200",
        ]);
      }
    }
  });

  test("joining again changes nothing, says so, and ends well though the proxy runs", () => {
    const step = steps.find(({ machine, words }) => machine === "vm-2" && words[1] === "join");
    if (step === undefined) throw new Error("The README has no join of vm-2");
    const before = readFileSync(`${stateOf("vm-2")}/heddle.json`, "utf8");
    const again = heddle(onLoopback(step, "hd1.000000000000.x.y").slice(1), { state: stateOf("vm-2") });
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
});

function valueOf(words: readonly string[], flag: string): string {
  return words[words.indexOf(flag) + 1] ?? "";
}

async function untilAnswered(words: readonly string[]): Promise<void> {
  const call = (): true | null => {
    const answer = spawnSync("curl", ["-sf", ...words], { encoding: "utf8", timeout: 5_000 });
    return answer.status === 0 && answer.stdout.includes('"service":"orders"') ? true : null;
  };
  await waitFor("orders answers web", call, { everyMs: 50 });
}
