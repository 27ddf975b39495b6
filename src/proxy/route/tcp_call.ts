/** Where an opaque connection is meant to go: the whole service, or what a route of it says. */
import { failure, success, type Result } from "../../base/result.ts";
import type { Random } from "../../../runtime/contract.ts";
import type { Outcome } from "../../model/outcome.ts";
import { weightless, type Caller, type LiveDestination, type Target } from "../state/live_service.ts";
import { outcomes } from "../failure/outcomes.ts";
import { chooseBackend } from "./choose_backend.ts";
import { matchServerName } from "./match_server_name.ts";

/** The service that was meant and whoever calls it, both as one state knows them. */
export interface TcpMeant {
  readonly destination: LiveDestination;
  /** null when this machine may not act as the service that calls. */
  readonly caller: Caller | null;
}

export interface TcpCall extends TcpMeant {
  readonly target: Target;
  /** Name of the route that chose the target; "" for none. */
  readonly route: string;
  /** What the bytes are, as far as it was declared or seen: `tcp`, `tls`. */
  readonly protocol: "tcp" | "tls";
  /** What told that, where no document does; else "". */
  readonly detectedBy: string;
}

/** What is spoken, and what told that. */
type Spoken = Pick<TcpCall, "protocol" | "detectedBy">;

/** Without a look at routes. */
export function wholeCall(meant: TcpMeant, protocol: TcpCall["protocol"], detectedBy = ""): TcpCall {
  const { destination } = meant;
  const target = { destination, balancer: destination.whole, rules: destination.rules };
  return { ...meant, target, route: "", protocol, detectedBy };
}

/** `serverName` is what the client asked for; "" when nothing. The problem says why it leads nowhere. */
export function routedCall(
  meant: TcpMeant,
  { protocol, detectedBy }: Spoken,
  serverName: string,
  random: Random,
): Result<TcpCall, Outcome> {
  const { destination } = meant;
  if (destination.tlsRoutes.length === 0) return success(wholeCall(meant, protocol, detectedBy));
  const route = matchServerName(destination.tlsRoutes, serverName);
  if (route === null) return failure(outcomes.noServerName(destination.key, serverName));
  const { backends, totalWeight, name } = route;
  const target = chooseBackend(backends, totalWeight, random.unit())?.target ?? weightless;
  if (!target.ok) return failure(outcomes.badBackend(name, target.problem));
  return success({ ...meant, target: target.value, route: name, protocol, detectedBy });
}
