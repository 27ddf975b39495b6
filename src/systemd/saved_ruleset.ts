/** Rules of a firewall as files have them that a boot loads, or as they are in force. */
import { reachOf, type Reach } from "./firewall_reach.ts";
import { iptablesRuleset } from "./iptables_rules.ts";
import { nftRuleset } from "./nft_rules.ts";

/** nft's own language, or what iptables-save writes. */
export type RulesetKind = "nft" | "iptables";

export interface SavedRuleset {
  readonly path: string;
  readonly kind: RulesetKind;
  /** What loads it at boot, where it is enabled. */
  readonly unit: string;
}

/** As Debian and Fedora have them. */
export const savedRulesets: readonly SavedRuleset[] = [
  { path: "/etc/nftables.conf", kind: "nft", unit: "nftables.service" },
  { path: "/etc/sysconfig/nftables.conf", kind: "nft", unit: "nftables.service" },
  { path: "/etc/iptables/rules.v4", kind: "iptables", unit: "netfilter-persistent.service" },
  { path: "/etc/sysconfig/iptables", kind: "iptables", unit: "iptables.service" },
];

/** Those of `ports` that the rules let nobody reach, and those of which it cannot be told. */
export function reachable(
  kind: RulesetKind,
  text: string,
  ports: readonly number[],
): Readonly<Record<Reach, readonly number[]>> {
  const rules = kind === "nft" ? nftRuleset(text) : iptablesRuleset(text);
  const of = (wanted: Reach): number[] => ports.filter((port) => reachOf(rules, port) === wanted);
  return { open: of("open"), shut: of("shut"), unsure: of("unsure") };
}
