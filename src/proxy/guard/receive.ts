/** What a request has to meet before it goes on: what is meant for this hop ends here, and no service gets what it does not take. */
import type { RequestHead, ServerExchange } from "../../http/exchange.ts";
import { passesUpgrade } from "../../http/upgrade.ts";
import type { Outcome } from "../../model/outcome.ts";
import { takesRequests } from "../../model/service.ts";
import { outcomes } from "../failure/outcomes.ts";
import { hopsLeft } from "../fields/hops.ts";
import type { Leaving } from "../rewrite/leaving.ts";
import type { LiveDestination } from "../state/live_service.ts";

/** `answer`: it is OPTIONS for this very hop. */
export type Received =
  { readonly do: "pass" | "answer" } | { readonly do: "refuse"; readonly outcome: Outcome };

const passes: Received = { do: "pass" };
const noUpgrades: readonly string[] = [];

/** For the service that was called; `leaving` is what of the request would go on. */
export function receive(called: LiveDestination, leaving: Leaving): Received {
  const { method } = leaving.came;
  if (method === "TRACE" || method === "OPTIONS") {
    const ending = endsHere(leaving.came, leaving);
    if (ending !== null) return ending;
  }
  if (!takesRequests(called.declared.protocol)) return refused(outcomes.notHttp(called));
  return leaving.readFor(called) ? passes : refused(outcomes.escapedSlash(called.key));
}

/** Meant for the next hop, which is this one (RFC 9110 sections 7.6.2, 9.3.7 and 9.3.8)? Else one hop less is left to it. */
function endsHere({ method, fields }: RequestHead, leaving: Leaving): Received | null {
  if (method === "TRACE") return refused(outcomes.noTrace());
  const left = hopsLeft(fields);
  if (left === null) return null;
  if (left < 0) return refused(outcomes.badMaxForwards());
  if (left === 0) return { do: "answer" };
  leaving.limitHops(left - 1);
  return null;
}

function refused(outcome: Outcome): Received {
  return { do: "refuse", outcome };
}

/**
 * For the service that was chosen, which may be another: it reads the path in its own way, whoever wrote it, and takes upgrades of its
 * own. An outcome says why it takes none like this.
 */
export function refusalOf(
  chosen: LiveDestination,
  called: LiveDestination,
  exchange: ServerExchange,
  leaving: Leaving,
): Outcome | null {
  if ((leaving.rewritten || chosen !== called) && !leaving.readFor(chosen))
    return leaving.rewritten ? outcomes.badPath(called.key) : outcomes.escapedSlash(chosen.key);
  if (exchange.request.upgrade === null) return null;
  const { upgrades = noUpgrades } = chosen.declared;
  exchange.keepUpgrade(upgrades);
  const { upgrade } = exchange.request;
  return upgrade === null || passesUpgrade(upgrade, upgrades)
    ? null
    : outcomes.noUpgrade(chosen.key, upgrade);
}
