/** Which commands an upgrade gives to the manager of a machine in memory, whose services hand over as they are asked. */
import { expect, test } from "bun:test";
import { answerPath, readRequest, requestPath } from "../../../src/app/upgrade/request.ts";
import { UpgradeServices } from "../../../src/app/upgrade/upgrade_services.ts";
import { previousProgram, stagedProgram } from "../../../src/systemd/installation.ts";
import type { Manager } from "../../../src/systemd/manager.ts";
import { ManualClock } from "../../support/clock.ts";
import { MemoryMachine } from "../../support/memory_machine.ts";

const program = "/usr/local/bin/heddle";
const folder = { path: "/var/lib/heddle" } as never;
const manager: Manager = {
  ...{ scope: "system", version: 255, units: "/etc/systemd/system", runtimeFolder: "/run" },
  ...{ systemctl: ["systemctl"], journal: ["journalctl", "--unit"] },
};
const [proxy, rules] = ["heddle-proxy.service", "heddle-intercept.service"];

/** Goes back to the program before, where these units are active. */
async function wentBack(active: readonly string[], reloadCode = 0) {
  const machine = new MemoryMachine({
    [program]: "new",
    [previousProgram(program)]: "old",
    "/proc/7/status": "SigCgt:\t0000000000000800\n",
  });
  const readSync = (path: string): Uint8Array | null => machine.entries.get(path)?.bytes ?? null;
  const files = { ...machine.files, readSync };
  machine.effects.set(stagedProgram(program), () =>
    JSON.stringify({ version: "1.0.0", state: { writes: 1, from: 1 } }),
  );
  const handOver = (): number => {
    const asked = readRequest({ readSync }, requestPath(folder, "proxy"));
    void files.writeAtomic(
      answerPath(folder, "proxy"),
      JSON.stringify({ id: asked?.id, problem: null, main: 8 }),
    );
    return 0;
  };
  machine.effects.set("systemctl", (command) => {
    if (command.includes("--property=ActiveState"))
      return active.includes(command.at(-1) ?? "") ? "active\n" : "inactive\n";
    if (command.includes("--property=MainPID")) return "7\n";
    if (command[1] === "kill") return handOver();
    return command[1] === "reload" ? reloadCode : 0;
  });
  const said: string[] = [];
  const random = { bytes: (count: number) => new Uint8Array(count) };
  const upgrade = new UpgradeServices({
    runtime: { files, process: machine.process, clock: new ManualClock(), random } as never,
    ...{ folder, manager, program, modes: ["proxy"], drainMs: 1_000, cutAfterMs: null },
    said: (text) => void said.push(text),
  });
  await upgrade.upgrade(previousProgram(program));
  expect(machine.text(program)).toBe("old");
  return { commands: machine.commands, said };
}

test("rules of interception are loaded again by the version that is in place then, which may listen elsewhere", async () => {
  const { commands, said } = await wentBack([proxy, rules]);
  expect(commands.at(-1)).toBe("systemctl reload heddle-intercept.service");
  expect(said.at(-1)).toBe("heddle-intercept.service loaded its rules again");
});

test("rules of interception that cannot be loaded again are told with the cure, and the upgrade stands", async () => {
  const { said } = await wentBack([proxy, rules], 1);
  expect(said.at(-1)).toContain("until systemctl reload heddle-intercept.service succeeds");
});

test("rules of interception that do not stand are left alone by an upgrade", async () => {
  const { commands } = await wentBack([proxy]);
  expect(commands.filter((each) => each.startsWith("systemctl reload"))).toEqual([]);
});
