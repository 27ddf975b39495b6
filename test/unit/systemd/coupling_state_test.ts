/** What is wrong with how a unit is coupled to the proxy is told by what systemd knows and what lies on disk. */
import { expect, test } from "bun:test";
import { couplingProblem } from "../../../src/systemd/coupling_state.ts";
import type { Manager } from "../../../src/systemd/manager.ts";
import { MemoryMachine } from "../../support/memory_machine.ts";

const manager = { systemctl: ["systemctl"], units: "/etc/systemd/system" } as unknown as Manager;
const own = "/etc/systemd/system/web.service.d/50-heddle.conf";
const proxy = "heddle-proxy.service";
const well = {
  Requires: "sysinit.target",
  Wants: proxy,
  After: `network.target ${proxy}`,
  DropInPaths: own,
  NeedDaemonReload: "no",
};

async function problemOf(shown: Readonly<Record<string, string>>, isThere = true) {
  const machine = new MemoryMachine(isThere ? { [own]: "" } : {});
  const lines = Object.entries({ ...well, ...shown }).map(([name, value]) => `${name}=${value}`);
  machine.effects.set("systemctl", () => lines.join("\n"));
  return await couplingProblem(machine.process, machine.files, manager, "web.service");
}

test("nothing, as heddle attach wrote it", async () => {
  expect(await problemOf({})).toBe(null);
});

test.each(["Requires", "Requisite", "BindsTo", "PartOf"])(
  "%s= would take the app down with the proxy",
  async (name) => {
    expect((await problemOf({ [name]: proxy }))?.problem).toContain(
      `${name}= binds it to heddle-proxy.service`,
    );
  },
);

test.each<[string, Readonly<Record<string, string>>, boolean, string, string]>([
  ["the drop-in is gone", {}, false, "is missing", "heddle attach web.service"],
  [
    "systemd never read it",
    { DropInPaths: "" },
    true,
    "others than systemd has read",
    "systemctl daemon-reload",
  ],
  ["another file was changed", { NeedDaemonReload: "yes" }, true, "others than", "systemctl daemon-reload"],
  [
    "a later drop-in empties what ours says",
    { Wants: "", DropInPaths: `${own} /etc/systemd/system/service.d/90-plain.conf` },
    true,
    "/etc/systemd/system/service.d/90-plain.conf overrides",
    "systemctl cat web.service",
  ],
])("%s", async (_, shown, isThere, problem, cure) => {
  const found = await problemOf(shown, isThere);
  expect(found?.problem).toContain(problem);
  expect(found?.cure).toContain(cure);
});
