/**
 * Whether a firewall refuses what heddle's rules redirect to loopback over IPv6. In the hook where that happens a packet still has the
 * interface by which it would have left, so that "to lo" does not match, and its new address, ::1, which is one of those that firewalld
 * refuses there (RFC3964_IPv4=yes of firewalld.conf(5): ::/96 among others). Over IPv4 nobody does that.
 */
import type { ProcessHost } from "../../runtime/contract.ts";
import { tryCommand } from "./commands.ts";

/** The table with such a rule, as `nft list ruleset` has it: `inet firewalld`. null: there is none, or nobody can tell. */
export async function refusesLoopback6(process: Pick<ProcessHost, "spawn" | "env">): Promise<string | null> {
  const listed = await tryCommand(process, ["nft", "--stateless", "list", "ruleset"]).catch(() => null);
  return listed?.code === 0 ? refusingTable(listed.output) : null;
}

/** Rules that such chains jump to are not followed. @visibleForTesting */
export function refusingTable(text: string): string | null {
  const tables = text.matchAll(/^table (inet|ip6) (\S+) \{\n([^]*?)^\}/gm);
  for (const [, family = "", name = "", body = ""] of tables)
    for (const [, chain = ""] of body.matchAll(/^\tchain \S+ \{\n([^]*?)^\t\}/gm))
      if (/\bhook output\b/.test(chain) && refusal.test(chain)) return `${family} ${name}`;
  return null;
}

const refusal = /ip6 daddr (?:\{[^}]*)?(?:::\/96|::1(?:\/128)?)(?:[ ,}][^\n]*)? (?:reject|drop)\b/;
