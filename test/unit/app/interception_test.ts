/** The order in which rules are tried, confirmed and taken back on a machine in memory, whose power may fail at each step. */
import { beforeEach, describe, expect, test } from "bun:test";
import { interceptionOf, MachineInterception, requireUnfiltered } from "../../../src/app/interception.ts";
import { checkInterception } from "../../../src/app/check_units.ts";
import type { Settings } from "../../../src/app/settings.ts";
import type { MachineDocument } from "../../../src/model/document.ts";
import type { InterceptedUnit } from "../../../src/intercept/rules.ts";
import { redirectedPorts } from "../../../src/model/ports.ts";
import { interceptFiles } from "../../../src/systemd/intercept_units.ts";
import { MemoryMachine } from "../../support/memory_machine.ts";

const web: InterceptedUnit = {
  unit: "web.service",
  slice: "mesh-web.slice",
  outbound: "mesh",
  inbound: "audit",
  ports: [8081],
  strict: false,
};
const strict: InterceptedUnit = {
  ...web,
  unit: "db.service",
  slice: "mesh-db.slice",
  ports: [5432],
  strict: true,
};
const at = { host: "10.0.0.1", port: 7443 };
const settings = {
  controllers: [at],
  registries: [{ host: "registry.example", port: 7444 }],
} as unknown as Settings;
const quiet = (): void => {};

let machine: MemoryMachine;
let interception: MachineInterception;
/** What nft lists; null: there is no table. */
let listed: string | null;

beforeEach(() => {
  listed = null;
  machine = made();
  interception = new MachineInterception(machine as never);
});

function made(): MemoryMachine {
  const groups = "/sys/fs/cgroup";
  const memory = new MemoryMachine({
    [`${groups}/cgroup.controllers`]: "",
    [`${groups}/mesh.slice/mesh-web.slice/x`]: "",
    [`${groups}/mesh.slice/mesh-db.slice/x`]: "",
  });
  memory.effects.set("nft", (command) => (command.includes("list") ? (listed ?? 1) : 0));
  memory.effects.set("sshd", () => "port 2222\nport 22\n");
  return memory;
}

const wanted = (...units: InterceptedUnit[]) => interceptionOf(units, settings);
const ran = (start: string): number => machine.commands.findIndex((command) => command.startsWith(start));

describe("rules that are new", () => {
  test("are loaded after the timer runs that takes them back, and are a trial until they are confirmed", async () => {
    expect((await interception.try(wanted(web), quiet)).isTrial).toBe(true);
    expect(ran("systemctl restart heddle-intercept-undo.timer")).toBeGreaterThanOrEqual(0);
    expect(ran("systemctl restart heddle-intercept-undo.timer")).toBeLessThan(
      ran("systemctl reload-or-restart"),
    );
    expect(machine.text(interceptFiles.before)).not.toContain("web.service");
    expect(await interception.inForce()).toMatchObject({ units: [web], isTrial: true });
    await interception.confirm();
    expect(machine.commands.at(-1)).toBe("systemctl stop heddle-intercept-undo.timer");
    expect(await interception.inForce()).toMatchObject({ units: [web], isTrial: false });
    expect(machine.text(interceptFiles.trial)).toBeNull();
  });

  test("need nobody's word where they are those that were confirmed", async () => {
    await interception.try(wanted(web), quiet);
    await interception.confirm();
    machine.commands.length = 0;
    expect((await interception.try(wanted(web), quiet)).isTrial).toBe(false);
    expect(ran("systemctl restart heddle-intercept-undo.timer")).toBe(-1);
  });

  test("go back to those that were confirmed, whose text waits for the timer", async () => {
    await interception.try(wanted(web), quiet);
    await interception.confirm();
    await interception.try(wanted(web, strict), quiet);
    expect(machine.text(interceptFiles.before)).toContain("web.service mesh");
    expect(machine.text(interceptFiles.before)).not.toContain("db.service");
    expect(machine.text(interceptFiles.restBefore)).not.toContain("cgroupv2");
  });

  test("are no trial any more, and no timer runs, where they could not be loaded", async () => {
    machine.effects.set("systemctl", (command) => (command[1] === "reload-or-restart" ? 1 : 0));
    await expect(interception.try(wanted(web), quiet)).rejects.toThrow(/reload-or-restart/);
    expect(machine.text(interceptFiles.trial)).toBeNull();
    expect(machine.commands.at(-1)).toBe("systemctl stop heddle-intercept-undo.timer");
  });

  test("are taken back at once where they could not be loaded: some may stand, and no timer would take them back", async () => {
    machine.effects.set("systemctl", (command) => (command[1] === "reload-or-restart" ? 1 : 0));
    await expect(interception.try(wanted(web, strict), quiet)).rejects.toThrow(/reload-or-restart/);
    expect(ran("systemctl start heddle-intercept-undo.service")).toBeGreaterThan(
      ran("systemctl reload-or-restart"),
    );
  });

  test("are never loaded without the timer, wherever the power fails", async () => {
    for (let changes = 0; changes < 20; changes++) {
      machine = made();
      interception = new MachineInterception(machine as never);
      machine.changesLeft = changes;
      const failed = await interception.try(wanted(web), quiet).then(
        () => false,
        () => true,
      );
      const loaded = ran("systemctl reload-or-restart");
      if (loaded >= 0) expect(ran("systemctl restart heddle-intercept-undo.timer")).toBeLessThan(loaded);
      if (!failed) return;
    }
    throw new Error("It never came to its end");
  });

  test("are refused where an app has a port of sshd, as it is configured", async () => {
    await expect(interception.rules(wanted({ ...web, ports: [2222] }))).rejects.toThrow(
      /2222 is one of sshd/,
    );
  });

  test("are taken back without a stop of what strict units require, which would end them", async () => {
    await interception.try(wanted(web, strict), quiet);
    await interception.undo(quiet);
    const stops = machine.commands.filter((each) => /systemctl (stop|disable --now)/.test(each));
    expect(stops.join()).not.toContain("heddle-intercept-early");
    expect(ran("systemctl disable heddle-intercept-early.service")).toBeGreaterThan(0);
  });

  test("cannot be confirmed where there are none", async () => {
    await expect(interception.confirm()).rejects.toThrow(/nothing waits for it/);
  });
});

describe("loading", () => {
  test("leaves sshd, and the control plane where it has an address, alone, and keeps what strict units have for when the proxy ends", async () => {
    await interception.try(wanted(web, strict), quiet);
    expect(await interception.load("all")).toContain("db.service");
    const rules = machine.text(interceptFiles.rules) ?? "";
    expect(rules).toContain("22, 2222, 53, 853");
    expect(rules).toContain("10.0.0.1 . 7443");
    expect(rules).not.toContain("registry.example");
    expect(machine.text(interceptFiles.rest)).toContain("db.service mesh");
    expect(machine.text(interceptFiles.rest)).not.toContain("web.service");
    expect(machine.commands.at(-1)).toBe(`nft -f ${interceptFiles.rules}`);
    expect(await interception.load("early")).not.toContain("web.service");
  });

  test("goes on counting callers in clear from where the rules before were", async () => {
    const elem = { val: { concat: ["10.0.0.7", 8081] }, counter: { packets: 5 } };
    listed = JSON.stringify({ nftables: [{ set: { name: "clear4", elem: [{ elem }] } }] });
    await interception.try(wanted(web), quiet);
    await interception.load("all");
    expect(machine.text(interceptFiles.rules)).toContain("10.0.0.7 . 8081 counter packets 5");
  });

  test("fails by name where a slice has no control group", async () => {
    machine.entries.delete("/sys/fs/cgroup/mesh.slice/mesh-web.slice/x");
    await interception.try(wanted(web), quiet);
    await expect(interception.load("all")).rejects.toThrow(/mesh-web\.slice has no control group/);
  });

  test("happens again where the rules were flushed, and not where they stand", async () => {
    await interception.try(wanted(web), quiet);
    expect(await interception.keep()).toContain("the firewall was flushed: loaded again");
    const rule = {
      comment: "web.service mesh",
      expr: [{ match: { left: { socket: {} }, right: "mesh.slice/mesh-web.slice" } }],
    };
    listed = JSON.stringify({ nftables: [{ rule }] });
    expect(await interception.keep()).toBeNull();
    listed = listed.replace('"mesh.slice/mesh-web.slice"', "4711");
    expect(await interception.keep()).toContain("slices were made anew");
  });

  test("leads to where a proxy of an earlier version listens while it still runs, and then to where the next one does", async () => {
    await interception.try(wanted(web), quiet);
    const open = (...ports: number[]): void => {
      const rows = ports.map((port) => `0: 0100007F:${port.toString(16)} 00000000:0000 0A 0 0 0 0 0 1`);
      void machine.files.writeAtomic("/proc/net/tcp", ["sl", ...rows].join("\n"));
    };
    const stands = (port: unknown): void => {
      const rule = { comment: "web.service mesh", expr: [{ redirect: { port } }] };
      listed = JSON.stringify({ nftables: [{ rule }] });
    };
    open(7450, 7445);
    await interception.load("all");
    expect(machine.text(interceptFiles.rules)).toContain("redirect to :7450 comment");
    expect(machine.text(interceptFiles.rules)).toContain("tcp dport 7450 ct status snat");
    stands(7450);
    expect(await interception.keep()).toBeNull();
    open(7450, ...redirectedPorts);
    expect(await interception.keep()).toContain("the proxy listens elsewhere now: loaded again");
    expect(machine.text(interceptFiles.rules)).toContain("redirect to :7464-7479 comment");
    stands({ range: [7464, 7479] });
    expect(await interception.keep()).toBeNull();
  });
});

test("undo takes the rules back by nft itself, and leaves nothing that a reboot would load", async () => {
  await interception.try(wanted(web, strict), quiet);
  await interception.confirm();
  listed = JSON.stringify({ nftables: [] });
  await interception.undo(quiet);
  expect(ran(`nft -f ${interceptFiles.off}`)).toBeGreaterThan(0);
  expect(machine.text(interceptFiles.rest)).not.toContain("cgroupv2");
  expect(await interception.inForce()).toEqual({ units: [], control: [], isTrial: false });
});

test("a unit that is taken out leaves the others in force, without anybody's word", async () => {
  await interception.try(wanted(web, strict), quiet);
  await interception.confirm();
  await interception.without("web.service", quiet);
  expect(await interception.inForce()).toMatchObject({ units: [strict], isTrial: false });
  await interception.without("db.service", quiet);
  expect(await interception.inForce()).toMatchObject({ units: [] });
});

test("a unit that is taken out while another is tried does not come back when nobody confirms that one", async () => {
  await interception.try(wanted(web), quiet);
  await interception.confirm();
  await interception.try(wanted(web, strict), quiet);
  expect(machine.text(interceptFiles.before)).toContain("web.service");
  await interception.without("web.service", quiet);
  expect(machine.text(interceptFiles.before)).not.toContain("web.service");
});

describe("rules that stand and are not in force", () => {
  const rule = (unit: string, what: string) => ({ rule: { comment: `${unit} ${what}`, expr: [] } });
  beforeEach(async () => {
    await interception.try(wanted(web), quiet);
    await interception.confirm();
  });

  test("go at the next look, and the others stay", async () => {
    listed = JSON.stringify({ nftables: [rule("web.service", "mesh"), rule("db.service", "mesh")] });
    expect(await interception.keep()).toContain("rules stood that are not in force");
    expect(machine.text(interceptFiles.rules)).not.toContain("db.service");
    expect(machine.text(interceptFiles.rules)).toContain("web.service");
  });

  test("go where a unit is to have less, too", async () => {
    listed = JSON.stringify({ nftables: [rule("web.service", "mesh"), rule("web.service", "all")] });
    expect(await interception.keep()).toContain("rules stood that are not in force");
    expect(machine.text(interceptFiles.rules)).not.toContain("web.service all");
  });

  test("go where nothing is in force any more", async () => {
    await interception.undo(quiet);
    listed = JSON.stringify({ nftables: [rule("web.service", "enforce")] });
    expect(await interception.keep()).toContain("no unit is intercepted");
    expect(machine.text(interceptFiles.rules)).not.toContain("web.service");
  });
});

test("what a unit is kept from by a filter of its own is not passed on for it by the proxy", () => {
  const filtered = { egressFilter: "IPAddressDeny" };
  expect(() => requireUnfiltered({ ...web, outbound: "all" }, filtered)).toThrow(/it has IPAddressDeny=/);
  expect(() => requireUnfiltered(web, filtered)).not.toThrow();
  expect(() => requireUnfiltered({ ...web, outbound: "all" }, { egressFilter: "" })).not.toThrow();
});

describe("what the Machine document wants", () => {
  test("is named where it is not in force: never tried, taken back, or of another unit alone", async () => {
    expect(await interception.notInForce([web, strict])).toEqual(["web.service", "db.service"]);
    await interception.try(wanted(web), quiet);
    expect(await interception.notInForce([web, strict])).toEqual(["db.service"]);
    await interception.confirm();
    expect(await interception.notInForce([web])).toEqual([]);
    await interception.undo(quiet);
    expect(await interception.notInForce([web])).toEqual(["web.service"]);
    expect(await interception.notInForce([])).toEqual([]);
  });

  test("is told by heddle check, with what to do, until it is in force or is wanted no more", async () => {
    const intercept = { outbound: "mesh", inbound: "audit" } as const;
    const service = { service: { name: "web", namespace: "default" }, port: 8081, unit: "web.service" };
    const document = { services: [{ ...service, intercept }], callers: [] } as unknown as MachineDocument;
    const check = async (of: MachineDocument): Promise<readonly string[]> =>
      (await checkInterception(machine as never, of)).map(({ result, detail }) => `${result} ${detail}`);
    const around = "and it is not in force: their traffic goes around the mesh";
    expect(await check(document)).toEqual([`warn the Machine document wants it for web.service, ${around}`]);
    await interception.try(wanted(web), quiet);
    expect(await check(document)).toEqual(["ok in force for web.service"]);
    await interception.undo(quiet);
    expect(await check(document)).toEqual([`warn the Machine document wants it for web.service, ${around}`]);
    expect(await check({ ...document, services: [service] } as unknown as MachineDocument)).toEqual([]);
  });
});
