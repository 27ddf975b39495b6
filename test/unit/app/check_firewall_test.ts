/** What heddle check says of rules that are loaded at boot. */
import { expect, test } from "bun:test";
import { checkFirewall } from "../../../src/app/check_firewall.ts";
import type { Settings } from "../../../src/app/settings.ts";
import { MemoryMachine } from "../../support/memory_machine.ts";

const settings = {
  modes: ["registry", "controller", "proxy"],
  ports: { inbound: 7445 },
  controllers: [{ host: "10.0.0.1", port: 7443 }],
  registries: [{ host: "10.0.0.1", port: 7444 }],
} as unknown as Settings;
const rules = "table inet f { chain i { type filter hook input priority 0; policy drop; } }";
const link = "/etc/systemd/system/sysinit.target.wants/nftables.service";

const check = async (files: Record<string, string>, of: Partial<Settings> = {}) =>
  await checkFirewall(new MemoryMachine(files).files, { ...settings, ...of });

test("rules that are loaded at boot and shut others out are named with their file, the ports and the line that lets them in", async () => {
  const [found, ...more] = await check({ "/etc/nftables.conf": rules, [link]: "" });
  expect(more).toEqual([]);
  expect(found).toMatchObject({
    code: "HED0020",
    result: "warn",
    detail: "/etc/nftables.conf, which nftables.service loads at boot, lets nobody in to 7443, 7444, 7445",
    cure: expect.stringContaining("tcp dport { 7443, 7444, 7445 } accept"),
  });
});

test("a machine without a control plane needs the port of its proxy alone", async () => {
  const [found] = await check({ "/etc/nftables.conf": rules, [link]: "" }, { modes: ["proxy"] });
  expect(found?.detail).toEndWith("lets nobody in to 7445");
});

test("a file that nothing loads is no matter, and neither is a machine without one", async () => {
  expect(await check({ "/etc/nftables.conf": rules })).toEqual([]);
  expect(await check({ [link]: "" })).toEqual([]);
});

test("rules that let others in are well", async () => {
  const open = rules.replace("policy drop;", "policy drop; tcp dport 7443-7445 accept;");
  expect((await check({ "/etc/nftables.conf": open, [link]: "" })).map(({ result }) => result)).toEqual([
    "ok",
  ]);
});
