/**
 * Whether rules of a firewall let new connections of TCP in to a port of this machine, as packets meet them: chain by chain, rule by rule,
 * with jumps. Where that depends on who calls, on an interface, a set or anything else that is not followed here, it says so.
 */

/** `unsure`: it depends on what is not followed. */
export type Reach = "open" | "shut" | "unsure";

export type Verdict =
  | { readonly do: "accept" | "drop" | "return" | "unknown" }
  | { readonly do: "jump" | "goto"; readonly chain: string };

/** One that may concern a new connection from another machine; others are left out. */
export interface Rule {
  /** null: whatever the port. */
  readonly ports: readonly (readonly [first: number, last: number])[] | null;
  /** Whether it takes all connections to those ports, not some. */
  readonly sure: boolean;
  readonly verdict: Verdict;
}

export interface Chain {
  /** Chains that it may jump to. */
  readonly others: ReadonlyMap<string, Chain>;
  readonly rules: Rule[];
}

/** A chain that packets come in by. */
export interface Entrance extends Chain {
  policy: "accept" | "drop";
}

export interface Ruleset {
  readonly entrances: readonly Entrance[];
  /** There may be more of it: other files, or commands. */
  readonly incomplete: boolean;
}

/** Each entrance has to let it in. */
export function reachOf({ entrances, incomplete }: Ruleset, port: number): Reach {
  const each = entrances.map((entrance) => through(entrance, port));
  if (incomplete) return "unsure";
  if (each.includes("shut")) return "shut";
  return each.includes("unsure") ? "unsure" : "open";
}

function through(entrance: Entrance, port: number): Reach {
  const { end, mayAccept, mayDrop } = walk(entrance, port, new Map());
  const verdict = end === "through" ? entrance.policy : end;
  if (verdict === "accept") return mayDrop ? "unsure" : "open";
  return mayAccept ? "unsure" : "shut";
}

/** What becomes of a connection in a chain. */
interface Walked {
  readonly end: "accept" | "drop" | "through";
  /** It may have been accepted, or dropped, on the way. */
  readonly mayAccept: boolean;
  readonly mayDrop: boolean;
}

const unknown: Walked = { end: "through", mayAccept: true, mayDrop: true };

/** `known`: chains that were walked, each once, however often they are jumped to. */
function walk(chain: Chain, port: number, known: Map<Chain, Walked>): Walked {
  const before = known.get(chain);
  if (before !== undefined) return before;
  // While it is walked: whoever comes back to it gets no answer.
  known.set(chain, unknown);
  let [mayAccept, mayDrop] = [false, false];
  let end: Walked["end"] = "through";
  for (const rule of chain.rules) {
    if (rule.ports !== null && !rule.ports.some(([first, last]) => first <= port && port <= last)) continue;
    const met = follow(rule.verdict, chain, port, known);
    mayAccept ||= met.mayAccept || (!rule.sure && met.end === "accept");
    mayDrop ||= met.mayDrop || (!rule.sure && met.end === "drop");
    const leaves = rule.verdict.do === "return" || rule.verdict.do === "goto";
    // Some leave here, and what comes then is not for them.
    if (leaves && !rule.sure) mayAccept = mayDrop = true;
    if (rule.sure && (met.end !== "through" || leaves)) {
      end = met.end;
      break;
    }
  }
  const walked = { end, mayAccept, mayDrop };
  known.set(chain, walked);
  return walked;
}

function follow(verdict: Verdict, { others }: Chain, port: number, known: Map<Chain, Walked>): Walked {
  switch (verdict.do) {
    case "accept":
    case "drop":
      return { end: verdict.do, mayAccept: false, mayDrop: false };
    case "return":
      return { end: "through", mayAccept: false, mayDrop: false };
    case "unknown":
      return unknown;
    case "jump":
    case "goto": {
      const chain = others.get(verdict.chain);
      return chain === undefined ? unknown : walk(chain, port, known);
    }
  }
}

/** Ports and ranges of them (`80,443-444`); null where something else stands there. Names of services are of others than heddle's. */
export function rangesIn(text: string, to: "-" | ":"): Rule["ports"] {
  const ranges: (readonly [number, number])[] = [];
  for (const part of text.split(",").map((each) => each.trim())) {
    if (/^[a-z][a-z-]*$/.test(part)) continue;
    const [first = "", last = first] = part.split(to);
    if (!/^\d+$/.test(first) || !/^\d+$/.test(last)) return null;
    ranges.push([Number(first), Number(last)]);
  }
  return ranges;
}
