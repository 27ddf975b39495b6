/** Names of the mesh in /etc/hosts: what is taken over of what the proxy wrote, and that all else of the file stays. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { removeHosts, takeHosts } from "../../../src/app/hosts.ts";
import { applyPlan } from "../../../src/systemd/apply.ts";
import {
  hasHosts,
  hostsFile,
  hostsSource,
  hostsSteps,
  hostsText,
  readHosts,
  withHosts,
} from "../../../src/systemd/hosts.ts";
import { limits } from "../../../src/model/limits.ts";
import { undoOf } from "../../../src/systemd/plan.ts";
import { MemoryMachine } from "../../support/memory_machine.ts";

const own = "127.0.0.1 localhost\n# mine\n10.0.0.7 printer\n";
const orders = { address: "127.100.3.4", names: ["orders.mesh", "orders.default.mesh"] };
const search = { address: "127.100.3.5", names: ["search.prod.mesh"] };

describe("the block of /etc/hosts", () => {
  test("stands behind what was there, and is replaced as a whole where it stands", () => {
    const once = withHosts(own, ["127.100.3.4 orders.mesh"]);
    expect(once.startsWith(own)).toBe(true);
    expect(hasHosts(once)).toBe(true);
    const later = withHosts(`${once}10.0.0.8 later\n`, ["127.100.3.5 search.mesh"]);
    expect(later).toContain("127.100.3.5 search.mesh");
    expect(later).not.toContain("orders");
    expect(withHosts(later, [])).toBe(`${own}10.0.0.8 later\n`);
  });

  test("can be put in and taken out of any file, which is as before but for a last line end", () => {
    const line = fc.constantFrom("", "127.0.0.1 a", "# b", "::1 c", "\t");
    fc.assert(
      fc.property(fc.array(line, { maxLength: 6 }), fc.boolean(), (lines, ended) => {
        const text = lines.join("\n") + (ended ? "\n" : "");
        const back = withHosts(
          withHosts(withHosts(text, ["127.100.1.1 a.mesh"]), ["127.100.1.2 b.mesh"]),
          [],
        );
        expect([text, `${text}\n`]).toContain(back);
      }),
    );
  });
});

describe("what the proxy wrote", () => {
  test("is taken as it writes it", () => {
    expect(readHosts(hostsText([orders, search]))).toMatchObject({
      ok: true,
      value: ["127.100.3.4 orders.mesh orders.default.mesh", "127.100.3.5 search.prod.mesh"],
    });
  });

  test.each([
    ["another address", "10.0.0.1 orders.mesh\n"],
    ["a loopback of others", "127.0.0.1 orders.mesh\n"],
    ["an octet that is none", "127.100.256.1 orders.mesh\n"],
    ["a name that is not of the mesh", "127.100.3.4 example.com\n"],
    ["one behind a name of the mesh", "127.100.3.4 orders.mesh example.com\n"],
    ["a name below one of the mesh's", "127.100.3.4 a.b.c.mesh\n"],
    ["the end of the block", "127.100.3.4 orders.mesh\n# heddle: to here\n1.2.3.4 bank.example\n"],
    ["a line end within", "127.100.3.4 orders.mesh\r1.2.3.4 bank.example\n"],
    ["more than may be", "127.100.3.4 orders.mesh\n".repeat(100_000)],
  ])("is refused as a whole where it holds %s", (_what, text) => {
    expect(readHosts(text).ok).toBe(false);
  });
});

test("/etc/hosts follows it, keeps what people wrote, and has nothing of it afterwards", async () => {
  const machine = new MemoryMachine({ [hostsFile]: own, [hostsSource]: hostsText([orders]) });
  expect(await takeHosts(machine.files)).toBe(true);
  expect(await takeHosts(machine.files)).toBe(false);
  expect(machine.text(hostsFile)).toContain("127.100.3.4 orders.mesh orders.default.mesh\n");
  expect(await removeHosts(machine.files)).toBe(true);
  expect(machine.text(hostsFile)).toBe(own);
});

test("a machine without /etc/hosts has none afterwards", async () => {
  const machine = new MemoryMachine({ [hostsSource]: hostsText([orders]) });
  await takeHosts(machine.files);
  expect(machine.text(hostsFile)).toContain("orders.mesh");
  await removeHosts(machine.files);
  expect(machine.text(hostsFile)).toBeNull();
});

test("a file that is longer than names may be is not read at all", async () => {
  const machine = new MemoryMachine({
    [hostsFile]: own,
    [hostsSource]: "x".repeat(limits.hostsBytesMax + 1),
  });
  const read: string[] = [];
  const noting = { ...machine.files, read: async (path: string) => (read.push(path), null) };
  await expect(takeHosts(noting)).rejects.toThrow(`it has more than ${limits.hostsBytesMax} characters`);
  expect(read).toEqual([]);
});

test("a file that was tampered with changes nothing", async () => {
  const machine = new MemoryMachine({ [hostsFile]: own, [hostsSource]: "1.2.3.4 bank.example\n" });
  await expect(takeHosts(machine.files)).rejects.toThrow("line 1 is no address of the mesh");
  expect(machine.text(hostsFile)).toBe(own);
});

test("its units are started, and taken away with what they did", async () => {
  const machine = new MemoryMachine({});
  const options = { mark: "/run/heddle.changing", said: () => {} };
  const steps = hostsSteps("/etc/systemd/system", "/usr/local/bin/heddle");
  await applyPlan(machine, steps, options);
  expect(machine.text("/etc/systemd/system/heddle-hosts.path")).toContain(`PathChanged=${hostsSource}\n`);
  expect(machine.commands).toEqual([
    "systemctl daemon-reload",
    "systemctl enable --now heddle-hosts.path",
    "systemctl start heddle-hosts.service",
  ]);
  await applyPlan(machine, undoOf(steps), options);
  expect(machine.commands.slice(3)).toEqual([
    "/usr/local/bin/heddle hosts --remove",
    "systemctl disable --now heddle-hosts.path",
    "systemctl daemon-reload",
  ]);
  expect(machine.text("/etc/systemd/system/heddle-hosts.path")).toBeNull();
});
