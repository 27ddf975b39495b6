/**
 * What a firewall's saved rules, as a boot loads them, do to ports of TCP that others are to reach: nft's own language, and what
 * iptables-save writes. Said is only what is sure: where rules let in by an address, an interface or a named set, it may be open.
 */

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

/** Those of `ports` that the rules let nobody reach. */
export function shutPorts(kind: RulesetKind, text: string, ports: readonly number[]): readonly number[] {
  const rules = kind === "nft" ? nftRules(text) : iptablesRules(text);
  if (rules === null) return [];
  return ports.filter((port) => !rules.some((rule) => mayLetIn(rule, port)));
}

/** What a rule lets in. */
interface Accepting {
  /** null: whatever the port. */
  readonly ports: readonly (readonly [first: number, last: number])[] | null;
}

function mayLetIn({ ports }: Accepting, port: number): boolean {
  return ports === null || ports.some(([first, last]) => first <= port && port <= last);
}

/** Words of rules that let in what heddle's ports have no use for. */
const elsewhere = /\b(?:lo|icmp\w*|ipv6-icmp|udp|established|related)\b/i;

/** The rules that accept; null: what no rule names is let in, or it cannot be told. */
function nftRules(text: string): readonly Accepting[] | null {
  const plain = text.replaceAll(/#.*$/gm, "");
  // Other files may say more.
  if (/^[ \t]*include\b/m.test(plain)) return null;
  const chains = [...plain.matchAll(/\bchain\s+\S+\s*\{/g)].map(({ index, 0: head }) =>
    bodyFrom(plain, index + head.length),
  );
  const closes = chains.some((body) => {
    if (!/\bhook\s+input\b/.test(body)) return false;
    const last = statementsOf(body).at(-1) ?? "";
    return /\bpolicy\s+drop\b/.test(body) || /^(?:counter\s+)?(?:drop|reject\b.*)$/.test(last);
  });
  if (!closes) return null;
  return chains.flatMap(statementsOf).flatMap((statement) => acceptingIn(statement));
}

/** To the brace that closes it. */
function bodyFrom(text: string, start: number): string {
  let depth = 1;
  let at = start;
  for (; at < text.length && depth > 0; at++) depth += text[at] === "{" ? 1 : text[at] === "}" ? -1 : 0;
  return text.slice(start, at - 1);
}

function statementsOf(body: string): string[] {
  return body
    .split(/[\n;]/)
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

function acceptingIn(statement: string): Accepting[] {
  if (!/\baccept\b/.test(statement) || /\bpolicy\s+accept\b/.test(statement)) return [];
  const dport = /\bdport\s+(?:\{([^}]*)\}|(\S+))/.exec(statement);
  if (dport === null) return elsewhere.test(statement) ? [] : [{ ports: null }];
  if (/\budp\s+dport\b/.test(statement)) return [];
  return [{ ports: rangesIn(dport[1] ?? dport[2] ?? "", "-") }];
}

function iptablesRules(text: string): readonly Accepting[] | null {
  const all = text.split("\n").map((line) => line.trim());
  const start = all.indexOf("*filter");
  const lines = start < 0 ? [] : all.slice(start, all.indexOf("COMMIT", start));
  const closes =
    lines.some((line) => /^:INPUT\s+DROP\b/.test(line)) ||
    lines.some((line) =>
      /^-A INPUT(?:\s+-m comment --comment (?:"[^"]*"|\S+))?\s+-j (?:DROP|REJECT)\b/.test(line),
    );
  if (!closes) return null;
  return lines.flatMap((line): Accepting[] => {
    if (!/-j ACCEPT\b/.test(line) || /^-A (?:OUTPUT|FORWARD)\b/.test(line)) return [];
    const dport = /--(?:dports?|destination-ports?)\s+(\S+)/.exec(line)?.[1];
    if (dport === undefined) return elsewhere.test(line) ? [] : [{ ports: null }];
    return /-p udp\b/.test(line) ? [] : [{ ports: rangesIn(dport, ":") }];
  });
}

/** null where a name stands in it, or an exception. */
function rangesIn(text: string, to: string): Accepting["ports"] {
  const ranges = text.split(",").map((part) => {
    const [first = "", last = first] = part.trim().split(to);
    return [first, last].every((each) => /^\d+$/.test(each))
      ? ([Number(first), Number(last)] as const)
      : null;
  });
  return ranges.every((each) => each !== null) ? ranges : null;
}
