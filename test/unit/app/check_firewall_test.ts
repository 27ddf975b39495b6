/** What heddle check says of rules that are loaded at boot. */
import { expect, test } from "bun:test";
import { checkFirewall } from "../../../src/app/check_firewall.ts";
import type { Settings } from "../../../src/app/settings.ts";
import type { ProcessHost, SpawnOptions } from "../../../runtime/contract.ts";
import { MemoryMachine } from "../../support/memory_machine.ts";

const settings = {
  modes: ["registry", "controller", "proxy"],
  ports: { inbound: 7445 },
  controllers: [{ host: "10.0.0.1", port: 7443 }],
  registries: [{ host: "10.0.0.1", port: 7444 }],
} as unknown as Settings;
const rules = "table inet f { chain i { type filter hook input priority 0; policy drop; } }";
const link = "/etc/systemd/system/sysinit.target.wants/nftables.service";

/** `says`: what commands print; others are not there. */
const check = async (
  files: Record<string, string>,
  of: Partial<Settings> = {},
  { user = 0, says = {} }: { readonly user?: number; readonly says?: Readonly<Record<string, string>> } = {},
) => {
  const spawn = (({ command, output, exited }) => {
    const said = says[command[0] ?? ""];
    if (said === undefined) throw new Error("not found");
    if (typeof output === "function") output(said, "stdout");
    exited?.(said === "" ? 1 : 0, null);
  }) as (options: SpawnOptions) => unknown as ProcessHost["spawn"];
  const process = { env: {}, user, spawn };
  return await checkFirewall({ files: new MemoryMachine(files).files, process }, { ...settings, ...of });
};

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

test("rules that are in force are looked at, too, where root may", async () => {
  const [found, ...more] = await check({}, {}, { says: { nft: rules } });
  expect(more).toEqual([]);
  expect(found).toMatchObject({
    code: "HED0020",
    result: "warn",
    detail: "what is in force now (nft list ruleset) lets nobody in to 7443, 7444, 7445",
  });
  expect(await check({}, {}, { says: { nft: rules }, user: 1_000 })).toEqual([]);
  expect(await check({}, {}, { says: { nft: "" } })).toEqual([]);
});

test("of rules that decide by what is not followed it is said that it cannot be told", async () => {
  const some = rules.replace("policy drop;", 'policy drop; iifname "eth1" accept;');
  const [found] = await check({}, {}, { says: { nft: some } });
  expect(found).toMatchObject({
    result: "ok",
    detail: expect.stringMatching(
      /^of what is in force now .* it cannot be told whether it lets others in to 7443, /,
    ),
  });
});

test("rules of iptables in the kernel that nothing lists are said to be there", async () => {
  const tables = { "/proc/net/ip_tables_names": "nat\nfilter\n" };
  const saved = "*filter\n:INPUT DROP [0:0]\n-A INPUT -p tcp -m tcp --dport 7443:7444 -j ACCEPT\nCOMMIT\n";
  const [found] = await check(tables, {}, { says: { "iptables-legacy-save": saved } });
  expect(found?.detail).toBe("what is in force now (iptables-legacy-save) lets nobody in to 7445");
  const [other] = await check(tables);
  expect(other?.detail).toContain("cannot be told");
});
