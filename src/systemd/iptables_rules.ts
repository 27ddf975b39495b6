/** Rules as iptables-save(8) writes them; what its table `filter` says of packets that come in. */
import {
  rangesIn,
  type Chain,
  type Entrance,
  type Rule,
  type Ruleset,
  type Verdict,
} from "./firewall_reach.ts";

export function iptablesRuleset(text: string): Ruleset {
  const all = text.split("\n").map((line) => line.trim());
  const start = all.indexOf("*filter");
  const input: Entrance = { others: new Map<string, Chain>(), rules: [], policy: "accept" };
  if (start < 0) return { entrances: [], incomplete: false };
  const end = all.indexOf("COMMIT", start);
  const lines = all.slice(start, end < 0 ? all.length : end);
  const chains = input.others as Map<string, Chain>;
  chains.set("INPUT", input);
  for (const line of lines) {
    const [, name = "", policy = ""] = /^:(\S+)\s+(\S+)/.exec(line) ?? [];
    if (name === "INPUT") input.policy = policy === "DROP" ? "drop" : "accept";
    else if (name !== "") chains.set(name, { others: chains, rules: [] });
  }
  for (const line of lines) {
    const [, name = "", rest = ""] = /^-A\s+(\S+)\s+(.*)$/.exec(line) ?? [];
    if (name === "") continue;
    const chain = chains.get(name) ?? { others: chains, rules: [] };
    chains.set(name, chain);
    const rule = ruleOf(rest);
    if (rule !== null) chain.rules.push(rule);
  }
  return { entrances: [input], incomplete: false };
}

/** What every new connection of TCP from another machine fulfils, and what changes nothing. */
const fulfilled = [
  /-m\s+comment\s+--comment\s+(?:"[^"]*"|\S+)/g,
  /-c\s+\d+\s+\d+/g,
  /! -i lo\b/g,
  /-p\s+tcp\b/g,
  /-m\s+(?:conntrack\s+--ctstate|state\s+--state)\s+\S*\bNEW\b\S*/g,
  /-m\s+(?:tcp|multiport)\b/g,
  /--reject-with\s+\S+/g,
];
/** Conditions that none does. */
const foreign = /-i\s+lo\b|-p\s+\S+|--(?:ctstate|state)\s/;
/** Targets that let it go on. */
const going: ReadonlySet<string> = new Set(["LOG", "NFLOG", "MARK", "CONNMARK"]);

function ruleOf(text: string): Rule | null {
  const said = fulfilled.reduce((rest, part) => rest.replaceAll(part, " "), text);
  const [whole = "", how = "", target = ""] = /-(j|g)\s+(\S+)/.exec(said) ?? [];
  if (target === "" || going.has(target)) return null;
  let conditions = said.replace(whole, " ");
  const dport = /--(?:dports?|destination-ports?)\s+(\S+)/.exec(conditions);
  const turned = dport !== null && new RegExp(`!\\s+${dport[0].split(/\s/)[0] ?? ""}`).test(conditions);
  if (dport !== null && !turned) conditions = conditions.replace(dport[0], " ");
  if (foreign.test(conditions)) return null;
  const ports = dport === null || turned ? null : rangesIn(dport[1] ?? "", ":");
  const sure = conditions.trim() === "" && (dport === null || ports !== null);
  return { ports, sure, verdict: verdictOf(how, target) };
}

function verdictOf(how: string, target: string): Verdict {
  if (target === "ACCEPT") return { do: "accept" };
  if (target === "DROP" || target === "REJECT") return { do: "drop" };
  if (target === "RETURN") return { do: "return" };
  return { do: how === "g" ? "goto" : "jump", chain: target };
}
