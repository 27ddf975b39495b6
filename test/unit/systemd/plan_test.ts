/** Plans: what they change, what they leave alone, and how an interrupted one is finished. */
import { describe, expect, test } from "bun:test";
import { applyPlan, pendingSteps } from "../../../src/systemd/apply.ts";
import { installationSteps, removalSteps } from "../../../src/systemd/installation.ts";
import type { Manager } from "../../../src/systemd/manager.ts";
import { planLines, undoOf, type Step } from "../../../src/systemd/plan.ts";
import { writtenByHeddle } from "../../../src/systemd/unit_text.ts";
import type { UnitsDescription } from "../../../src/systemd/units.ts";
import { MemoryMachine, PowerFailure } from "../../support/memory_machine.ts";

const manager: Manager = {
  scope: "system",
  version: 252,
  units: "/etc/systemd/system",
  runtimeFolder: "/run",
  systemctl: ["systemctl"],
  journal: ["journalctl", "--unit"],
};
const description: UnitsDescription = {
  version: 252,
  scope: "system",
  program: "/usr/local/bin/heddle",
  replaces: null,
  state: "/var/lib/heddle",
  modes: ["registry", "controller", "proxy"],
  lowPorts: ["proxy"],
  drain: null,
};
const install = installationSteps(manager, description);
const mark = "/run/heddle.changing";
const program = "/proc/self/exe";
const state = "/var/lib/heddle/heddle.json";
const bare = { [program]: "the binary", [state]: "{}", "/etc/hosts": "127.0.0.1 localhost" };
const restart = "systemctl restart heddle-registry.service heddle-controller.service heddle-proxy.service";
const start = "systemctl start heddle-registry.service heddle-controller.service heddle-proxy.service";

function apply(machine: MemoryMachine, steps: readonly Step[], said: string[] = []): Promise<boolean> {
  return applyPlan(machine, steps, { mark, said: (text) => void said.push(text) });
}

async function installed(): Promise<MemoryMachine> {
  const machine = new MemoryMachine(bare);
  await apply(machine, install);
  return machine;
}

describe("installing", () => {
  test("writes what is missing and starts it, in an order that holds", async () => {
    const machine = await installed();
    expect(machine.text("/usr/local/bin/heddle")).toBe("the binary");
    expect(machine.entries.get("/usr/local/bin/heddle")?.mode).toBe(0o755);
    expect(machine.text("/etc/systemd/system/heddle-proxy.service")).toStartWith(writtenByHeddle);
    expect(machine.text(mark)).toBe(null);
    const order = [
      "systemd-sysusers",
      "systemd-tmpfiles",
      "chown",
      "systemctl daemon-reload",
      "systemctl enable",
      restart,
    ];
    const found = order.map((words) => machine.commands.findIndex((command) => command.startsWith(words)));
    expect(found).toEqual(found.toSorted((a, b) => a - b));
    expect(found).not.toContain(-1);
    expect(machine.commands).not.toContain(start);
  });

  test("again changes nothing and starts again nothing that runs", async () => {
    const machine = await installed();
    const before = machine.state;
    machine.commands.length = 0;
    const said: string[] = [];
    expect(await apply(machine, install, said)).toBe(false);
    expect(machine.state).toEqual(before);
    expect(machine.commands).toContain(start);
    expect(machine.commands).not.toContain(restart);
    expect(said).toEqual([]);
  });

  test("starts again what runs when only the binary is another one", async () => {
    const machine = await installed();
    machine.entries.set(program, { bytes: new TextEncoder().encode("the newer binary"), mode: 0o755 });
    machine.commands.length = 0;
    await apply(machine, install);
    expect(machine.text("/usr/local/bin/heddle")).toBe("the newer binary");
    expect(machine.commands).toContain(restart);
  });

  test("that was interrupted anywhere is finished by the next attempt, which starts it again", async () => {
    const whole = (await installed()).state;
    for (let changes = 0; ; changes++) {
      const machine = new MemoryMachine(bare);
      machine.changesLeft = changes;
      const cut = await apply(machine, install).then(
        () => false,
        (error: unknown) => error instanceof PowerFailure || /power failed/.test(String(error)),
      );
      if (!cut) {
        expect(changes).toBeGreaterThan(install.length / 2);
        break;
      }
      const [ran] = [machine.commands.includes(restart)];
      machine.changesLeft = Infinity;
      await apply(machine, install);
      expect(machine.state).toEqual(whole);
      expect(ran || machine.commands.includes(restart)).toBe(true);
    }
  });

  test("refuses to write over what somebody else wrote, before it does anything", async () => {
    const unit = "/etc/systemd/system/heddle-proxy.service";
    const machine = new MemoryMachine({ ...bare, [unit]: "[Service]\n" });
    const before = machine.state;
    await expect(apply(machine, install)).rejects.toThrow(
      `Cannot write ${unit}: it is there, and heddle did not write it`,
    );
    expect([machine.state, machine.commands]).toEqual([before, []]);
  });

  test("tells what a command said that failed, and goes on there the next time", async () => {
    const machine = new MemoryMachine(bare);
    machine.effects.set("systemctl", ([, verb]) => (verb === "restart" ? 1 : 0));
    await expect(apply(machine, install)).rejects.toThrow(`Cannot run ${restart}: it ended with 1`);
    expect(machine.text(mark)).toBe("");
    machine.effects.clear();
    expect(await apply(machine, install)).toBe(true);
    expect(machine.commands.filter((command) => command === restart)).toHaveLength(2);
  });
});

describe("removing", () => {
  const removal = (machine: MemoryMachine, purge: boolean) =>
    pendingSteps(machine.files, removalSteps(manager, description, purge));

  test("leaves the machine as it was, with its state", async () => {
    const machine = await installed();
    machine.commands.length = 0;
    await apply(machine, await removal(machine, false));
    expect(machine.state).toEqual(new MemoryMachine(bare).state);
    expect(machine.commands[0]).toBe("systemctl disable --now heddle-proxy.service");
    const last = machine.commands.indexOf("userdel heddle");
    expect(last).toBeGreaterThan(machine.commands.indexOf("chown -Rh root:root /var/lib/heddle"));
    expect(machine.commands.indexOf("systemctl daemon-reload")).toBeGreaterThan(0);
  });

  test("takes what upgrades left: the program before, and one that was to come", async () => {
    const machine = await installed();
    for (const path of ["heddle.previous", ".heddle-next/heddle"])
      await machine.files.writeAtomic(`/usr/local/bin/${path}`, "a program");
    await apply(machine, await removal(machine, false));
    expect(machine.state).toEqual(new MemoryMachine(bare).state);
  });

  test("takes the state too when it is told to", async () => {
    const machine = await installed();
    await apply(machine, await removal(machine, true));
    const { [state]: _, ...rest } = bare;
    expect(machine.state).toEqual(new MemoryMachine(rest).state);
  });

  test("that was interrupted anywhere is finished by the next attempt", async () => {
    for (let changes = 0; ; changes++) {
      const machine = await installed();
      machine.changesLeft = changes;
      const cut = await apply(machine, await removal(machine, false)).then(
        () => false,
        () => true,
      );
      if (!cut) break;
      machine.changesLeft = Infinity;
      await apply(machine, await removal(machine, false));
      expect(machine.state).toEqual(new MemoryMachine(bare).state);
      expect(machine.commands).toContain("userdel heddle");
    }
  });

  test("where nothing is there does nothing, but for a rest of what was cut", async () => {
    const machine = new MemoryMachine({ ...bare, "/usr/local/bin/.new.heddle": "half a bin" });
    expect((await removal(machine, false)).every((step) => step.kind === "run" && !step.needs?.length)).toBe(
      true,
    );
    await apply(machine, removalSteps(manager, description, false));
    expect(machine.state).toEqual(new MemoryMachine(bare).state);
    expect(machine.commands).toEqual(["systemctl daemon-reload"]);
  });

  test("leaves what somebody put in the place of a unit, and says so", async () => {
    const machine = await installed();
    const slice = "/etc/systemd/system/heddle.slice";
    await machine.files.writeAtomic(slice, "[Slice]\n");
    const said: string[] = [];
    await apply(machine, await removal(machine, false), said);
    expect(machine.text(slice)).toBe("[Slice]\n");
    expect(said).toContain(`leave ${slice}: heddle did not write it`);
  });

  test("does not mind a user that is gone already", async () => {
    const machine = await installed();
    machine.effects.set("userdel", () => 6);
    await apply(machine, await removal(machine, false));
    expect(machine.state).toEqual(new MemoryMachine(bare).state);
  });
});

test("a plan shows every file with its text and every command, and when it is run", () => {
  const lines = planLines(install);
  expect(lines).toContain("copy this program to /usr/local/bin/heddle");
  expect(lines).toContain("write /etc/systemd/system/heddle-proxy.service");
  expect(lines).toContain("    ExecStart=/usr/local/bin/heddle proxy");
  expect(lines).toContain(`run ${restart}, if anything was changed`);
  expect(lines).toContain(`run ${start}, if nothing was changed`);
});

test("what undoes a plan stands in the turned order", () => {
  const steps: Step[] = [
    { kind: "write", path: "/etc/a", text: "a" },
    { kind: "run", command: ["make", "b"], when: "always", undo: ["unmake", "b"] },
    { kind: "copy", path: "/bin/c" },
  ];
  expect(planLines(undoOf(steps))).toEqual(["remove /bin/c", "run unmake b", "remove /etc/a"]);
});
