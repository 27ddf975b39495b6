/** Probes by a program: its end says how the app is, and what it says why. */
import { describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { execLook } from "../../../src/app/exec_look.ts";
import { limits } from "../../../src/model/limits.ts";
import { Probe } from "../../../src/proxy/upstream/probe.ts";
import { runtime } from "../../support/planes.ts";
import { until } from "../../support/sockets.ts";

async function lookedAt(...command: string[]): Promise<string | null> {
  return await new Promise((told) => void execLook(runtime.process, command)(told));
}

describe("a program that probes", () => {
  test("and ends with 0 finds the app well, whatever it says", async () => {
    expect(await lookedAt("/bin/sh", "-c", "echo all is well")).toBeNull();
  });

  test("and ends with another code says why in its first line", async () => {
    expect(await lookedAt("/bin/sh", "-c", "echo no primary; echo more; exit 3")).toBe(
      "/bin/sh ended with 3: no primary",
    );
  });

  test("says at most a little", async () => {
    const said = await lookedAt("/bin/sh", "-c", "printf %5000s x | tr ' ' x; exit 1");
    expect(said?.length).toBeLessThanOrEqual(limits.probeSaidMax + "/bin/sh ended with 1: ".length);
  });

  test("has no environment but a PATH, and no shell reads its words", async () => {
    expect(await lookedAt("/bin/sh", "-c", 'echo "$HOME$0"; exit 1', "$(id)")).toBe(
      "/bin/sh ended with 1: $(id)",
    );
  });

  test("that is not there is a reason too", async () => {
    expect(await lookedAt("/no/such/program")).toContain("/no/such/program");
  });

  test("and does not end is ended, and the app is not well", async () => {
    const told: string[] = [];
    const probe = new Probe({
      ...{ net: runtime.net, clock: runtime.clock, host: "127.0.0.1", port: 1, path: null, grpc: null },
      look: execLook(runtime.process, ["/bin/sleep", "600"]),
      everyMs: 100,
      changed: (ready, detail) => told.push(`${ready} ${detail}`),
    });
    await until(() => told.length > 0, "it is told");
    expect(told).toEqual([`false no answer within ${limits.probeTimeoutMs} ms`]);
    probe.close();
  });

  test("is ended with what it started, which holds what it says its words by", async () => {
    const folder = mkdtempSync(`${tmpdir()}/heddle-look-`);
    const script = `/bin/sleep 600 & echo $! > ${folder}/pid; wait`;
    const told: (string | null)[] = [];
    const look = execLook(runtime.process, ["/bin/sh", "-c", script])((problem) => told.push(problem));
    const pid = (): number => (existsSync(`${folder}/pid`) ? Number(readFileSync(`${folder}/pid`)) : 0);
    await until(() => pid() > 0, "it has started another program");
    look.destroy();
    await until(() => told.length > 0, "it is told");
    expect(told).toEqual(["/bin/sh was ended by SIGKILL"]);
    await until(() => runtime.process.residentBytesOf(pid()) === null, "the other program is gone");
    rmSync(folder, { recursive: true });
  });
});
