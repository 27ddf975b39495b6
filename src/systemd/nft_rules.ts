/** Rules in nft's own language (nft(8)): a file, or what `nft list ruleset` prints. */
import {
  rangesIn,
  type Chain,
  type Entrance,
  type Rule,
  type Ruleset,
  type Verdict,
} from "./firewall_reach.ts";

/** Those by which TCP over IPv4 comes in. */
const families: ReadonlySet<string> = new Set(["ip", "inet"]);

interface Block {
  readonly kind: "table" | "chain" | "other";
  readonly chains: Map<string, Chain> | null;
  readonly chain: Entrance | null;
}

export function nftRuleset(text: string): Ruleset {
  return new NftReader().read(text);
}

/** Once through the text: blocks in blocks, statements between them. */
class NftReader {
  readonly #entrances: Entrance[] = [];
  readonly #blocks: Block[] = [];
  #incomplete = false;
  #statement = "";
  /** Braces of a set inside a statement. */
  #depth = 0;

  read(text: string): Ruleset {
    for (const [token] of text.matchAll(/#.*|"[^"\n]*"|\\\n|[{};\n]|[^#"\\{};\n]+|[^]/g)) {
      if (token.startsWith("#")) continue;
      if (token === "{") this.#open();
      else if (token === "}") this.#close();
      else if (token === ";" || token === "\n") this.#divide();
      else this.#statement += token === "\\\n" ? " " : token;
    }
    this.#end();
    return { entrances: this.#entrances, incomplete: this.#incomplete };
  }

  #open(): void {
    const inside = this.#blocks.at(-1);
    if (this.#depth > 0 || inside?.kind === "chain") return this.#deeper();
    const head = this.#statement.trim().replace(/^(?:add|create)\s+/, "");
    if (inside === undefined && !head.startsWith("table")) return this.#deeper();
    this.#statement = "";
    this.#blocks.push(blockOf(head, inside));
  }

  #deeper(): void {
    this.#depth++;
    this.#statement += "{";
  }

  #close(): void {
    if (this.#depth > 0) {
      this.#depth--;
      this.#statement += "}";
      return;
    }
    this.#end();
    this.#blocks.pop();
  }

  #divide(): void {
    if (this.#depth > 0) this.#statement += " ";
    else this.#end();
  }

  #end(): void {
    const statement = this.#statement.trim();
    this.#statement = "";
    const inside = this.#blocks.at(-1);
    if (statement === "" || inside?.kind === "other") return;
    if (inside?.chain != null) this.#rule(inside.chain, statement, inside.chains !== null);
    // Commands, and other files, may say more.
    else if (/^include\b|^(?:add|insert|replace|create)\s+(?:rule|chain)\b/.test(statement))
      this.#incomplete = true;
  }

  #rule(chain: Entrance, statement: string, counts: boolean): void {
    if (/^include\b/.test(statement)) this.#incomplete = true;
    else if (/^type\s+\w+\s+hook\b/.test(statement)) {
      if (counts && /\bhook\s+input\b/.test(statement)) this.#entrances.push(chain);
    } else if (/^policy\s/.test(statement)) chain.policy = /\bdrop\b/.test(statement) ? "drop" : "accept";
    else {
      const rule = ruleOf(statement);
      if (rule !== null) chain.rules.push(rule);
    }
  }
}

/** `inside`: a table. In those of other families nothing counts. */
function blockOf(head: string, inside: Block | undefined): Block {
  const table = /^table\s+(?:(\w+)\s+)?\S+$/.exec(head);
  if (inside === undefined && table !== null)
    return { kind: "table", chains: families.has(table[1] ?? "ip") ? new Map() : null, chain: null };
  const name = /^chain\s+(\S+)$/.exec(head)?.[1];
  if (inside?.kind !== "table" || name === undefined) return { kind: "other", chains: null, chain: null };
  const { chains } = inside;
  const chain: Entrance = { others: chains ?? new Map(), rules: [], policy: "accept" };
  chains?.set(name, chain);
  return { kind: "chain", chains, chain };
}

/** What changes nothing about whom a rule is for. */
const passing = [
  /\bcounter(?:\s+packets\s+\d+\s+bytes\s+\d+|\s+name\s+\S+)?/g,
  /\blog\b(?:\s+(?:prefix|level|flags|group|snaplen|queue-threshold)\s+(?:"[^"]*"|\S+))*/g,
  /\bcomment\s+"[^"]*"/g,
];
/** What every new connection of TCP from another machine fulfils. */
const fulfilled = [
  /\b(?:meta\s+)?l4proto\s+(?:tcp|6|\{[^}]*\btcp\b[^}]*\})/g,
  /\bip\s+protocol\s+tcp\b/g,
  /\b(?:meta\s+)?nfproto\s+ipv4\b/g,
  /\biif(?:name)?\s*!=\s*"?lo"?/g,
  /\bct\s+state\s+(?:\{[^}]*\bnew\b[^}]*\}|[\w,]*\bnew\b[\w,]*)/g,
];
/** Conditions that none does. */
const foreign =
  /\biif(?:name)?\s+"?lo"?(?:\s|$)|\b(?:icmp|icmpv6|ipv6-icmp|igmp|udp|esp|ah|sctp|ip6)\b|\bct\s+state\s+(?:\{[^}]*\}|[\w,]+)|\bnfproto\s+ipv6\b/;

/** A longer one is not read: nobody can tell what it does. */
const statementMax = 16_384;

function ruleOf(statement: string): Rule | null {
  if (statement.length > statementMax) return { ports: null, sure: false, verdict: { do: "unknown" } };
  const said = passing.reduce((text, part) => text.replaceAll(part, " "), statement).trim();
  const verdict = verdictOf(said);
  if (verdict === null) return null;
  let conditions = said.replace(/\b(?:accept|drop|return|queue\b.*|reject\b.*|(?:jump|goto)\s+\S+)$/, "");
  conditions = fulfilled.reduce((text, part) => text.replaceAll(part, " "), conditions);
  const dport = /\b(?:tcp|th)\s+dport\s+(?:\{([^}]*)\}|([^\s{]+))/.exec(conditions);
  if (dport !== null) conditions = conditions.replace(dport[0], " ");
  if (foreign.test(conditions)) return null;
  const ports = dport === null ? null : rangesIn(dport[1] ?? dport[2] ?? "", "-");
  return { ports, sure: conditions.trim() === "" && (dport === null || ports !== null), verdict };
}

function verdictOf(said: string): Verdict | null {
  const [, word = "", chain = ""] = /\b(accept|drop|return|jump|goto)(?:\s+(\S+))?$/.exec(said) ?? [];
  if (word === "jump" || word === "goto") return { do: word, chain };
  if (word !== "" && chain === "") return { do: word as "accept" | "drop" | "return" };
  if (/\breject\b/.test(said)) return { do: "drop" };
  // States that new connections have not are nobody's matter here.
  if (/^ct\s+state\s+vmap\b/.test(said) && !/\bnew\b/.test(said)) return null;
  return /\b(?:vmap|queue)\b/.test(said) ? { do: "unknown" } : null;
}
