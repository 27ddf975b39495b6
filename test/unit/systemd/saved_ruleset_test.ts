/** What saved rules of firewalls do to ports that others are to reach. */
import { describe, expect, test } from "bun:test";
import { reachable, type RulesetKind } from "../../../src/systemd/saved_ruleset.ts";

const ports = [7443, 7444, 7445];
const shut = (kind: RulesetKind, text: string): readonly number[] => reachable(kind, text, ports).shut;
const unsure = (kind: RulesetKind, text: string): readonly number[] => reachable(kind, text, ports).unsure;
const open = (kind: RulesetKind, text: string): readonly number[] => reachable(kind, text, ports).open;

describe("rules of nft", () => {
  /** As the examples of Debian's package have it. */
  const workstation = (more: string, policy = "policy drop"): string => `#!/usr/sbin/nft -f
flush ruleset

table inet filter {
\tset admins { type ipv4_addr; elements = { 10.0.0.1, 10.0.0.2 } }
\tchain input {
\t\ttype filter hook input priority filter; ${policy};
\t\tct state { established, related } accept
\t\tiif lo accept
\t\ticmpv6 type { nd-neighbor-solicit, nd-router-advert } accept
\t\ttcp dport 22 accept # and 7445 later
${more}
\t}
\tchain output {
\t\ttype filter hook output priority filter; policy accept;
\t}
}
`;

  test.each([
    ["name no port of heddle", "", [7443, 7444, 7445]],
    ["name one", "tcp dport 7445 accept", [7443, 7444]],
    ["name a range", "tcp dport 7443-7444 counter accept", [7445]],
    ["name a set of ports and ranges", "tcp dport { 80, 7444-7445 } accept", [7443]],
    ["name a port of UDP", "udp dport 7443 accept", [7443, 7444, 7445]],
  ])("that drop the rest and %s shut the others", (_, more, expected) => {
    expect(shut("nft", workstation(more))).toEqual(expected);
  });

  test.each([
    ["let in by an address", "ip saddr @admins accept"],
    ["let in by an interface", 'iifname "eth1" accept'],
    ["let in by a set with a name", "tcp dport @mesh accept"],
    ["send by an interface to a chain", 'iifname vmap { "eth0" : jump world, "eth1" : accept }'],
    ["let in for a while", "tcp dport 7443-7445 limit rate 10/second accept"],
  ])("that %s cannot be told to be open or shut", (_, more) => {
    expect(unsure("nft", workstation(more))).toEqual(ports);
    expect(shut("nft", workstation(more))).toEqual([]);
  });

  test("are followed from chain to chain, in their order", () => {
    const chains = (rules: string, mesh: string): string =>
      `table ip t {\n chain mesh { ${mesh} }\n chain input { type filter hook input priority 0; policy drop; ${rules} } }`;
    expect(open("nft", chains("tcp dport 7000-8000 jump mesh", "tcp dport 7445 accept"))).toEqual([7445]);
    expect(open("nft", chains("tcp dport 7445 drop; jump mesh", "accept"))).toEqual([7443, 7444]);
    expect(
      shut("nft", chains("jump mesh; accept", "tcp dport 7444 counter packets 5 bytes 9 reject")),
    ).toEqual([7444]);
    expect(unsure("nft", chains('iifname "eth0" jump mesh', "accept"))).toEqual(ports);
    expect(open("nft", chains('iifname "eth0" jump mesh; accept', "accept"))).toEqual(ports);
    expect(shut("nft", chains("goto mesh; accept", "return"))).toEqual(ports);
    expect(unsure("nft", chains("jump mesh", "jump mesh"))).toEqual(ports);
  });

  test("of all tables must let a port in; those of other families and hooks do not count", () => {
    const table = (family: string, hook: string, rule: string): string =>
      `table ${family} ${hook}x { chain c { type filter hook ${hook} priority 0; ${rule} } }\n`;
    const two = table("inet", "input", "accept") + table("ip", "input", "tcp dport 7444 drop");
    expect([open("nft", two), shut("nft", two)]).toEqual([[7443, 7445], [7444]]);
    const others =
      table("ip6", "input", "drop") + table("inet", "forward", "drop") + table("bridge", "input", "drop");
    expect(open("nft", others)).toEqual(ports);
  });

  test("are read as nft lists them: sets in tables, quotes, states by map", () => {
    const listed = `table inet filter {
\tset mesh {
\t\ttype inet_service
\t\telements = { 22, 80,
\t\t\t443 }
\t}
\tchain input {
\t\ttype filter hook input priority filter; policy drop;
\t\tct state vmap { invalid : drop, established : accept, related : accept } comment "a } brace; drop"
\t\ttcp dport { 7443,
\t\t\t7444 } ct state new log prefix "in: " accept
\t}
}
`;
    expect([open("nft", listed), shut("nft", listed)]).toEqual([[7443, 7444], [7445]]);
  });

  test("that let in what they do not name shut nothing, unless they end with a drop", () => {
    expect(shut("nft", workstation("", "policy accept"))).toEqual([]);
    expect(shut("nft", workstation("counter drop", "policy accept"))).toEqual(ports);
    expect(shut("nft", workstation("reject with icmp type admin-prohibited", ""))).toEqual(ports);
  });

  test("that take other files in, or add rules by commands, cannot be judged", () => {
    for (const more of [
      'include "/etc/nftables.d/*.nft"',
      "add rule inet filter input tcp dport 7445 accept",
    ])
      expect(unsure("nft", `${workstation("")}${more}\n`)).toEqual(ports);
  });
});

describe("rules of iptables", () => {
  const saved = (more: string, policy = "DROP"): string => `# Generated by iptables-save
*nat
:PREROUTING ACCEPT [0:0]
COMMIT
*filter
:INPUT ${policy} [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
${more}
-A OUTPUT -j ACCEPT
COMMIT
`;

  test.each([
    ["name no port of heddle", "", [7443, 7444, 7445]],
    ["name some", "-A INPUT -p tcp -m multiport --dports 7443,7444 -j ACCEPT", [7445]],
    [
      "name a range in a chain of their own",
      "-A INPUT -j mesh\n-A mesh -p tcp -m tcp --dport 7444:7445 -j ACCEPT",
      [7443],
    ],
    ["name a port of UDP", "-A INPUT -p udp -m udp --dport 7443 -j ACCEPT", [7443, 7444, 7445]],
  ])("that drop the rest and %s shut the others", (_, more, expected) => {
    expect(shut("iptables", saved(more))).toEqual(expected);
  });

  test.each([
    ["an address", "-A INPUT -s 10.0.0.0/8 -j ACCEPT"],
    ["an interface", "-A INPUT -i eth1 -j ACCEPT"],
    ["a set", "-A INPUT -m set --match-set mesh src -j ACCEPT"],
    ["a chain that is not there", "-A INPUT -j f2b"],
  ])("that let in by %s cannot be told to be open or shut", (_, more) => {
    expect(unsure("iptables", saved(more))).toEqual(ports);
  });

  test("that let in what they do not name shut nothing, unless they end with a reject", () => {
    expect(shut("iptables", saved("", "ACCEPT"))).toEqual([]);
    expect(
      shut("iptables", saved("-A INPUT -j REJECT --reject-with icmp-host-prohibited", "ACCEPT")),
    ).toEqual(ports);
  });

  test("whatever is in a file costs no more than its length, and what is no ruleset shuts nothing", () => {
    const many = ["table ip t { chain c { ", "-A INPUT -j INPUT\n", "jump x; ", '"', "*filter\n"];
    for (const text of [
      "",
      "{".repeat(50_000),
      `chain x {${"\n".repeat(50_000)}`,
      ...many.map((each) => each.repeat(20_000)),
    ])
      for (const kind of ["nft", "iptables"] as const) expect(shut(kind, text)).toEqual([]);
  });
});
