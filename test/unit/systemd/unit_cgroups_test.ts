/** From the number of a cgroup to its unit, as systemd lays units out in the unified hierarchy. */
import { beforeEach, describe, expect, test } from "bun:test";
import { limits } from "../../../src/model/limits.ts";
import { isLoginCgroup, UnitCgroups, unitOfCgroup } from "../../../src/systemd/unit_cgroups.ts";
import { ManualClock } from "../../support/clock.ts";

let folders: Map<string, number>;
let lists = 0;
let clock: ManualClock;
let cgroups: UnitCgroups;
const root = "/sys/fs/cgroup";
const files = {
  list: async (path: string) => {
    lists++;
    if (path === root && folders.size === 0) throw new Error("EIO");
    const below = [...folders.keys()].filter((each) => each.startsWith(`${path}/`));
    const names = below.map((each) => each.slice(path.length + 1).split("/")[0] ?? "");
    return [...new Set([...names, "cgroup.procs", "memory.current", "cpu.stat"])];
  },
  stat: async (path: string) => {
    const inode = folders.get(path);
    if (inode === undefined) throw new Error(`${path} is asked for`);
    return { size: 0, modifiedMs: 0, folder: true, mode: 0o755, owner: 0, inode };
  },
};

beforeEach(() => {
  folders = new Map([
    [`${root}/system.slice`, 10],
    [`${root}/system.slice/web.service`, 11],
    [`${root}/system.slice/web.service/payload`, 12],
  ]);
  [lists, clock] = [0, new ManualClock()];
  cgroups = new UnitCgroups({ files, clock, root });
});

test("a number is found by one look through all folders, and known from then on", async () => {
  expect(cgroups.known(11)).toBeUndefined();
  expect(await cgroups.find(11)).toBe("/system.slice/web.service");
  const before = lists;
  expect([cgroups.known(12), cgroups.known(10)]).toEqual([
    "/system.slice/web.service/payload",
    "/system.slice",
  ]);
  expect(lists).toBe(before);
});

test("a unit that starts again has another number, which is looked for; all who wait share the look", async () => {
  await cgroups.find(11);
  folders.set(`${root}/system.slice/web.service`, 21);
  const before = lists;
  const found = Promise.all([cgroups.find(21), cgroups.find(21), cgroups.find(12)]);
  expect(lists).toBe(before);
  clock.step(limits.cgroupsLookMs);
  expect(await found).toEqual([
    "/system.slice/web.service",
    "/system.slice/web.service",
    "/system.slice/web.service/payload",
  ]);
  expect(lists - before).toBe(before);
});

test("a number that is nowhere is looked for once", async () => {
  expect(await cgroups.find(99)).toBeNull();
  expect(cgroups.known(99)).toBeNull();
});

test("folders that cannot be read are tried again, and nothing is made of them", async () => {
  const [kept, none] = [folders, new Map<string, number>()];
  folders = none;
  expect(cgroups.find(11)).rejects.toThrow("EIO");
  await Promise.resolve();
  folders = kept;
  clock.step(limits.cgroupsLookMs);
  await new Promise((done) => setImmediate(done));
  const found = cgroups.find(11);
  clock.step(limits.cgroupsLookMs);
  expect(await found).toBe("/system.slice/web.service");
});

describe("the unit of a cgroup", () => {
  test.each([
    ["/system.slice/web.service", null, "web.service"],
    ["/system.slice/web.service/payload/more", null, "web.service"],
    ["/system.slice/system-orders.slice/orders@1.service", null, "orders@1.service"],
    ["/mesh.slice/mesh-web.slice/web.service", null, "web.service"],
    ["/system.slice/_cpu.service", null, "cpu.service"],
    ["/user.slice/user-0.slice/session-3.scope", null, "session-3.scope"],
    ["/user.slice/user-7.slice/user@7.service/app.slice/web.service", null, "user@7.service"],
    ["/user.slice/user-7.slice/user@7.service/app.slice/web.service", 7, "web.service"],
    ["/user.slice/user-8.slice/user@8.service/app.slice/web.service", 7, null],
    ["/system.slice/web.service", 7, null],
    ["/system.slice", null, null],
    ["/init.scope", null, "init.scope"],
  ])("%s of manager %p is %p", (path, user, unit) => expect(unitOfCgroup(path, user)).toBe(unit));

  test.each([
    ["/user.slice/user-0.slice/session-3.scope", true],
    ["/user.slice/user-7.slice/user@7.service/app.slice/app-terminal.scope", true],
    ["/user.slice/user-7.slice/user@7.service/app.slice/web.service", false],
    ["/system.slice/ssh.service", false],
    ["/system.slice/docker-1.scope", false],
  ])("%s is one of a login: %p", (path, login) => expect(isLoginCgroup(path)).toBe(login));
});
