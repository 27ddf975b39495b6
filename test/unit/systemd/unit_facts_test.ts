/** Which unit listens where is told by the control groups of the processes that hold the sockets. */
import { expect, test } from "bun:test";
import type { Manager } from "../../../src/systemd/manager.ts";
import { coupledUnits, coupling, uncoupling } from "../../../src/systemd/drop_in.ts";
import { applyPlan } from "../../../src/systemd/apply.ts";
import { listeningUnits, unitFacts } from "../../../src/systemd/unit_facts.ts";
import { MemoryMachine } from "../../support/memory_machine.ts";

const manager = { systemctl: ["systemctl"], units: "/etc/systemd/system" } as unknown as Manager;
const sockets = [
  { inode: "71", address: "127.0.0.1", port: 8080 },
  { inode: "72", address: "0.0.0.0", port: 22 },
];

test("whichever hierarchies of control groups the machine has", async () => {
  const machine = new MemoryMachine({
    "/proc/812/cgroup": "9:name=systemd:/machine\n4:memory:/\n0::/system.slice/web.service\n",
    "/proc/813/cgroup": "1:name=systemd:/system.slice/ssh.service\n",
    "/proc/814/cgroup": "0::/user.slice/session-1.scope\n",
  });
  const links =
    "/proc/812/fd/3 socket:[71]\n/proc/813/fd/4 socket:[72]\n/proc/814/fd/4 socket:[72]\n/proc/812/fd/9 socket:[99]\n";
  machine.effects.set("find", () => links);
  expect(await listeningUnits(machine.process, machine.files, sockets)).toEqual([
    { unit: "ssh.service", address: "0.0.0.0", port: 22 },
    { unit: "web.service", address: "127.0.0.1", port: 8080 },
  ]);
});

test("what opens a unit's port, and whether it has a network of its own, is its manager's to tell", async () => {
  const machine = new MemoryMachine();
  const said =
    "Type=notify\nTriggeredBy=web.socket web.timer\nPrivateNetwork=yes\nLoadState=loaded\nSlice=system.slice\n";
  machine.effects.set("systemctl", () => said);
  expect(await unitFacts(machine.process, manager, "web.service")).toEqual({
    known: true,
    type: "notify",
    sockets: ["web.socket"],
    ownNetwork: true,
    slice: "system.slice",
    egressFilter: "",
  });
  for (const filter of ["IPAddressDeny=10.0.0.0/8", "IPEgressFilterPath=/sys/fs/bpf/web"]) {
    machine.effects.set("systemctl", () => `${said}${filter}\n`);
    const { egressFilter } = await unitFacts(machine.process, manager, "web.service");
    expect(egressFilter).toBe(filter.split("=")[0] as string);
  }
});

test("a unit that is strict does not start without its rules, and one that is not starts whatever becomes of the proxy", () => {
  const textOf = (requires: readonly string[]): string => {
    const [step] = coupling(manager, "web.service", { slice: "mesh-web.slice", requires });
    return step?.kind === "write" ? step.text : "";
  };
  expect(textOf(["heddle-intercept-early.service"])).toContain(
    "Wants=heddle-proxy.service\nRequires=heddle-intercept-early.service\nAfter=heddle-proxy.service heddle-intercept-early.service\n",
  );
  expect(textOf([])).not.toContain("Requires");
});

test("a unit that is coupled and uncoupled leaves what others wrote beside it, and no empty folder", async () => {
  const other = "/etc/systemd/system/web.service.d/10-mine.conf";
  const machine = new MemoryMachine({ [other]: "[Service]\n", "/proc/self/exe": "" });
  const options = { mark: "/run/heddle.attaching", said: () => {} };
  const before = machine.state;
  for (const unit of ["web.service", "orders@1.service"])
    await applyPlan(machine, coupling(manager, unit), options);
  const coupled = await coupledUnits(machine.files, manager);
  expect(coupled).toEqual(["orders@1.service", "web.service"]);
  expect(machine.text("/etc/systemd/system/web.service.d/50-heddle.conf")).toContain(
    "[Unit]\nWants=heddle-proxy.service\nAfter=heddle-proxy.service\n",
  );
  expect(machine.commands).toEqual(["systemctl daemon-reload", "systemctl daemon-reload"]);
  await applyPlan(machine, uncoupling(manager, coupled), options);
  expect(machine.state).toEqual(before);
});
